package translate

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/bpe"
	"github.com/mega-go/mega/data/moses"
	"github.com/mega-go/mega/data/pieces"
	"github.com/mega-go/mega/data/sentencepiece"
	"github.com/mega-go/mega/internal/textfile"
)

// TextConfig says how text becomes tokens and tokens text. The JSON names are
// the reference's argument names.
type TextConfig struct {
	Tokenizer          string `json:"tokenizer" help:"separates punctuation from words: moses, or space for text that is in tokens already"`
	BPE                string `json:"bpe" help:"splits words into subwords: subword_nmt or fastbpe (--bpe-codes), or sentencepiece (--sentencepiece-model); chosen by the file that is given"`
	BPECodes           string `json:"bpe_codes" help:"codes of a byte pair encoding, as subword-nmt and fastBPE write them"`
	BPESeparator       string `json:"bpe_separator" help:"mark at the end of a subword that another one follows, for subword_nmt (default @@)"`
	SentencepieceModel string `json:"sentencepiece_model" help:"a SentencePiece model or a tokenizer.json (default: the pieces that the model was trained with)"`
	MosesSourceLang    string `json:"moses_source_lang" help:"language whose rules split sources (default the source language)"`
	MosesTargetLang    string `json:"moses_target_lang" help:"language whose rules join translations (default the target language)"`
	MosesNoDashSplits  bool   `json:"moses_no_dash_splits" help:"leave words with hyphens whole"`
	MosesNoEscape      bool   `json:"moses_no_escape" help:"leave quotation marks, brackets and the like as they are"`
	ReplaceUnk         string `json:"replace_unk" help:"replace <unk> by the source token that it attends to most, or by that token's translation in a file of lines with a source token and its translation"`
	RemoveBPE          string `json:"remove_bpe" help:"put subwords together: \"@@ \" (if no value is given), sentencepiece, wordpiece, letter; in plain text those of --bpe are put together anyway"`
}

// TextOptions is a TextConfig made ready. The zero value takes text as it is:
// tokens with spaces between.
type TextOptions struct {
	tokenise, detokenise func(string) string // nil for none
	split                func(string) string // into subwords; nil for none
	pieces               *pieces.Set         // in place of subwords; nil for none
	remove, subwords     string              // what bpe.Remove takes out of words, and then to make text of them
	unknown              *unknownReplacer
}

// Open reads the files that a configuration names. The languages are those of
// the text.
func (c TextConfig) Open(source, target string) (TextOptions, error) {
	o, err := c.decoding(target)
	if err != nil {
		return o, err
	}
	switch c.Tokenizer {
	case "space":
		o.tokenise = func(line string) string { return strings.Join(textfile.Fields(line), " ") }
	case "moses":
		m := moses.New(cmp.Or(c.MosesSourceLang, source))
		m.NoDashSplits, m.NoEscape = c.MosesNoDashSplits, c.MosesNoEscape
		o.tokenise = m.Tokenise
	}
	switch kind := c.kind(); {
	case kind == "":
		return o, nil
	case c.BPECodes != "" && c.SentencepieceModel != "":
		return o, errors.New("both bpe_codes and sentencepiece_model are given, want one of them")
	case kind == "sentencepiece" && c.SentencepieceModel == "":
		return o, errors.New("bpe is sentencepiece, which takes sentencepiece_model")
	case o.pieces != nil:
		o.split = o.pieces.Words
	case kind == "sentencepiece":
		model, err := sentencepiece.Load(c.SentencepieceModel)
		if err != nil {
			return o, err
		}
		o.split = model.Encode
	case c.BPECodes == "":
		return o, fmt.Errorf("bpe is %s, which takes bpe_codes", kind)
	default:
		codes, err := bpe.Load(c.BPECodes)
		if err != nil {
			return o, err
		}
		codes.Separator = strings.TrimSuffix(o.subwords, " ")
		o.split = codes.Apply
	}
	return o, nil
}

// decoding returns what makes text of words, which takes no codes, and of models
// only a tokenizer.json.
func (c TextConfig) decoding(target string) (o TextOptions, err error) {
	o.remove = c.RemoveBPE
	switch c.Tokenizer {
	case "", "space":
	case "moses":
		o.detokenise = moses.New(cmp.Or(c.MosesTargetLang, target)).Detokenise
	default:
		return o, fmt.Errorf("tokenizer is %q, want moses or space", c.Tokenizer)
	}
	switch kind := c.kind(); kind {
	case "":
	case "sentencepiece":
		if o.pieces, err = tokenizerAt(c.SentencepieceModel); err != nil {
			return o, err
		}
		o.subwords = kind
	case "subword_nmt":
		o.subwords = cmp.Or(c.BPESeparator, bpe.Marker) + " "
	case "fastbpe":
		o.subwords = bpe.Marker + " "
	default:
		return o, fmt.Errorf("bpe is %q, want subword_nmt, fastbpe or sentencepiece", kind)
	}
	o.unknown, err = newUnknownReplacer(c.ReplaceUnk)
	return o, err
}

// tokenizerAt reads a tokenizer.json, and nothing of a file that is none.
func tokenizerAt(path string) (*pieces.Set, error) {
	if path == "" {
		return nil, nil
	}
	b, err := textfile.ReadFile(path)
	if err != nil || !pieces.IsTokenizer(b) {
		return nil, nil // the reader of SentencePiece models says what is wrong
	}
	return pieces.Parse(b, path)
}

// of returns the options for data of pieces, which files that were named outweigh.
func (o TextOptions) of(set *pieces.Set) TextOptions {
	if set != nil && o.subwords == "" {
		o.pieces, o.split = set, set.Words
	}
	return o
}

// kind returns how words become subwords, "" for not at all.
func (c TextConfig) kind() string {
	switch {
	case c.BPE == "" && c.BPECodes != "":
		return "subword_nmt"
	case c.BPE == "" && c.SentencepieceModel != "":
		return "sentencepiece"
	}
	return c.BPE
}

// encode turns a line into tokens with spaces between.
func (o TextOptions) encode(line string) string {
	line = o.words(line)
	if o.split != nil {
		line = o.split(line)
	}
	return line
}

// words makes a line ready to be split.
func (o TextOptions) words(line string) string {
	line = textfile.Trim(line)
	if o.tokenise != nil {
		line = o.tokenise(line)
	}
	return line
}

// ids returns the ids that a dictionary has for a line, and </s>.
func (o TextOptions) ids(d *data.Dictionary, line string) []int32 {
	if o.pieces != nil && o.pieces.Dictionary() == d { // some pieces are white space
		return append(o.pieces.Append(nil, o.words(line)), data.EOS)
	}
	return d.Encode(nil, o.encode(line))
}

// join puts subwords together if asked for.
func (o TextOptions) join(words string) string {
	if o.pieces != nil && o.remove != "" {
		return o.pieces.Join(words)
	}
	return bpe.Remove(words, o.remove)
}

// decode turns words into text.
func (o TextOptions) decode(words string) string {
	switch {
	case o.pieces == nil:
		words = bpe.Remove(words, o.subwords)
	case o.remove == "":
		words = o.pieces.Join(words)
	}
	if o.detokenise != nil {
		return o.detokenise(words)
	}
	return words
}
