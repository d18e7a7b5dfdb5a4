package translate

import (
	"fmt"

	"github.com/mega-go/mega/data/bpe"
	"github.com/mega-go/mega/data/moses"
	"github.com/mega-go/mega/data/sentencepiece"
	"github.com/mega-go/mega/internal/textfile"
)

// TextConfig says how text becomes tokens and tokens text. The JSON names are
// the reference's argument names.
type TextConfig struct {
	Tokenizer          string `json:"tokenizer" help:"parts punctuation from words: moses, or space for text that is in tokens already"`
	BPE                string `json:"bpe" help:"parts words into subwords: subword_nmt (--bpe-codes) or sentencepiece (--sentencepiece-model); found out if one of these is given"`
	BPECodes           string `json:"bpe_codes" help:"codes of a byte pair encoding, as subword-nmt and fastBPE write them"`
	SentencepieceModel string `json:"sentencepiece_model" help:"a SentencePiece model"`
	ReplaceUnk         string `json:"replace_unk" help:"put the source token that it attends to most in place of <unk>, or what a file says that has lines of a source token and its translation"`
	RemoveBPE          string `json:"remove_bpe" help:"put subwords together: \"@@ \" (if no value is given), sentencepiece, wordpiece, letter; found out if there are codes or a model"`
}

// TextOptions is a TextConfig made ready. The zero value takes text as it is:
// tokens with spaces between.
type TextOptions struct {
	tokenise, detokenise func(string) string // nil for none
	split                func(string) string // into subwords; nil for none
	remove               string
	unknown              *unknownReplacer
}

// Open reads the files that a configuration names. The languages are those of
// the text.
func (c TextConfig) Open(source, target string) (TextOptions, error) {
	o := TextOptions{remove: c.RemoveBPE}
	switch c.Tokenizer {
	case "", "space":
	case "moses":
		o.tokenise, o.detokenise = moses.New(source).Tokenise, moses.New(target).Detokenise
	default:
		return o, fmt.Errorf("tokenizer is %q, want moses or space", c.Tokenizer)
	}
	var err error
	if o.unknown, err = newUnknownReplacer(c.ReplaceUnk); err != nil {
		return o, err
	}
	kind, err := c.kind()
	if err != nil {
		return o, err
	}
	switch kind {
	case "subword_nmt":
		codes, err := bpe.Load(c.BPECodes)
		if err != nil {
			return o, err
		}
		o.split = codes.Apply
	case "sentencepiece":
		model, err := sentencepiece.Load(c.SentencepieceModel)
		if err != nil {
			return o, err
		}
		o.split = model.Encode
	}
	if o.remove == "" {
		o.remove = kind
	}
	return o, nil
}

// kind returns how words become subwords, "" for not at all.
func (c TextConfig) kind() (string, error) {
	kind := c.BPE
	if kind == "" && c.BPECodes != "" {
		kind = "subword_nmt"
	}
	if kind == "" && c.SentencepieceModel != "" {
		kind = "sentencepiece"
	}
	switch {
	case kind == "fastbpe":
		kind = "subword_nmt" // codes of the same form
		fallthrough
	case kind == "subword_nmt":
		if c.BPECodes == "" || c.SentencepieceModel != "" {
			return "", fmt.Errorf("bpe is %s, which takes bpe_codes, and those alone", c.BPE)
		}
	case kind == "sentencepiece":
		if c.SentencepieceModel == "" || c.BPECodes != "" {
			return "", fmt.Errorf("bpe is %s, which takes sentencepiece_model, and that alone", c.BPE)
		}
	case kind != "":
		return "", fmt.Errorf("bpe is %q, want subword_nmt or sentencepiece", c.BPE)
	}
	return kind, nil
}

// encode turns a line into tokens with spaces between.
func (o TextOptions) encode(line string) string {
	line = textfile.Trim(line)
	if o.tokenise != nil {
		line = o.tokenise(line)
	}
	if o.split != nil {
		line = o.split(line)
	}
	return line
}

// join puts subwords together.
func (o TextOptions) join(words string) string { return bpe.Remove(words, o.remove) }

// decode turns words into text.
func (o TextOptions) decode(words string) string {
	if o.detokenise != nil {
		return o.detokenise(words)
	}
	return words
}
