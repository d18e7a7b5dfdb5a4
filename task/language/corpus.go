package language

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/blocks"
	"github.com/mega-go/mega/data/bytetext"
	"github.com/mega-go/mega/data/lines"
	"github.com/mega-go/mega/data/pieces"
	"github.com/mega-go/mega/data/plaintext"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/train"
)

// DataConfig says where the text of a language model comes from, how it
// is cut into blocks and how these are batched. The JSON names are the
// reference's argument names.
type DataConfig struct {
	Task        string  `json:"task" help:"language_modeling"`
	Data        string  `json:"data" help:"directory of preprocessed text (dict.txt, .bin, .idx); several, separated by colons, take turns by epoch"`
	Text        string  `json:"text" help:"file of plain text, in place of preprocessed text; several, or patterns in quotes (*.txt), separated by colons; .gz and .zst are decompressed"`
	Pieces      string  `json:"pieces,omitempty" help:"SentencePiece model (mega data pieces makes one) or tokenizer.json that cuts a plain text into pieces; without it, it is read byte by byte"`
	PieceModel  []byte  `json:"piece_model,omitempty"` // that file, compressed: a run needs no other
	Dict        string  `json:"dict" help:"dictionary of a plain text, whose words are the numbers of bytes; all 256 if none is given"`
	TextHeldOut float64 `json:"text_held_out" help:"share of the end of a plain text that is kept for validation, and again for test"`
	TrainSubset string  `json:"train_subset" help:"name of the split to train on"`
	ValidSubset string  `json:"valid_subset" help:"split to validate on, or several separated by commas; the first decides which checkpoint is best"`
	TestSubset  string  `json:"test_subset" help:"name of the split for the final evaluation, if the data has it"`

	SampleBreakMode         string `json:"sample_break_mode" help:"where text may be cut: none, complete, complete_doc, complete_doc_with_boundary, eos, or stream (none with blocks of varying size; plain text's default)"`
	TokensPerSample         int    `json:"tokens_per_sample" help:"unit of block sizes for a model without chunks"`
	VariantBlockMultipleMin int    `json:"variant_block_multiple_min" help:"fewest chunks in a block"`
	VariantBlockMultipleMax int    `json:"variant_block_multiple_max" help:"most chunks in a block"`
	ValidBlock              string `json:"valid_block" help:"documents of held-out text: splits:N for N of them, size:N for N tokens each"`
	AddBOSToken             bool   `json:"add_bos_token" help:"put <s> before every block"`
	OutputDictionarySize    int    `json:"output_dictionary_size" help:"predict <unk> for ids from this one on; 0 or less for all"`
	ShortenMethod           string `json:"shorten_method" help:"none, or truncate for lines of at most tokens-per-sample"`
	ShortenDataSplitList    string `json:"shorten_data_split_list" help:"splits to shorten, separated by commas; all if none is given"`
	BatchSize               int    `json:"batch_size" help:"blocks in a batch"`
	MaxTokens               int    `json:"max_tokens" help:"tokens in a batch, padding included; 0 for no limit"`
	MaxSentencesValid       int    `json:"max_sentences_valid" help:"documents in a batch of validation; 0 for batches of the size of training's"`
	RequiredMultiple        int    `json:"required_batch_size_multiple" help:"full batches are multiples of this"`
	SentenceAvg             bool   `json:"sentence_avg" help:"divide loss and gradients by blocks, not by tokens"`
}

// DefaultDataConfig returns the reference's defaults.
func DefaultDataConfig() DataConfig {
	return DataConfig{
		Task: checkpoint.LanguageModelling, TextHeldOut: 0.05,
		TrainSubset: "train", ValidSubset: "valid", TestSubset: "test",
		TokensPerSample: 1024, VariantBlockMultipleMin: 1, VariantBlockMultipleMax: 1,
		ValidBlock: blocks.DefaultValidBlock.String(), OutputDictionarySize: -1, ShortenMethod: "none",
		RequiredMultiple: 8,
	}
}

// WholeText is the split of a plain text that is all of it.
const WholeText = "all"

// CheckpointData sets in d what a checkpoint says of the text that it was trained on.
func CheckpointData(c *checkpoint.Checkpoint, d *DataConfig) error {
	if err := c.DataConfig(d); err != nil {
		return err
	}
	if err := d.checkCuts(); err != nil {
		return config.Wrap(c.Path, err)
	}
	return pieces.Check(d.PieceModel, c.Path)
}

// checkCuts reports what says in no known way how the text is cut.
func (c DataConfig) checkCuts() error {
	_, err := blocks.ParseBreak(c.SampleBreakMode)
	if err == nil && c.ValidBlock != "" {
		_, err = blocks.ParseValidBlock(c.ValidBlock)
	}
	return err
}

// A Corpus is the text of a language model: a dictionary, and splits
// opened when asked for.
type Corpus struct {
	Dictionary *data.Dictionary
	config     DataConfig
	dirs       []string
	text       *bytetext.File   // nil for preprocessed text
	codec      *plaintext.Codec // of a plain text
	files      []string         // of a plain text
	opened     []*lines.Files
}

// OpenCorpus opens what a configuration names. Close the corpus when
// done.
func OpenCorpus(c DataConfig) (*Corpus, error) {
	switch {
	case c.Text != "" && c.Data != "":
		return nil, fmt.Errorf("both the plain text %s and the directory %s are given, want one of them", c.Text, c.Data)
	case c.Text != "":
		return openPlainCorpus(c)
	case c.Data == "":
		return nil, errors.New("no text is given, want a directory of preprocessed text as data, or a file of plain text")
	}
	if c.Pieces != "" || c.PieceModel != nil {
		return nil, fmt.Errorf("pieces are for plain text (text), and %s is preprocessed", c.Data)
	}
	d, err := LoadDictionary(DataConfig{Data: c.Data})
	return &Corpus{Dictionary: d, config: c, dirs: strings.Split(c.Data, ":")}, err
}

// dictPath returns the file of the dictionary of preprocessed text.
func (c DataConfig) dictPath() string {
	dir, _, _ := strings.Cut(c.Data, ":")
	return cmp.Or(c.Dict, filepath.Join(dir, "dict.txt"))
}

// ofBytes tells whether it is recorded that words are bytes.
func (c DataConfig) ofBytes() bool { return c.Text != "" || data.BytesBeside(c.dictPath()) }

// LoadDictionary returns the dictionary of a text without opening the text.
func LoadDictionary(c DataConfig) (*data.Dictionary, error) {
	switch {
	case c.Dict != "":
		return data.LoadDictionary(c.Dict)
	case c.Text != "":
		return bytetext.Dictionary(), nil
	case c.Data != "":
		dir, _, _ := strings.Cut(c.Data, ":")
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: no such directory; want that of the data, which mega preprocess wrote, or the file of the dictionary alone (dict)", dir)
		}
		return data.LoadDictionary(c.dictPath())
	}
	return nil, errors.New("no dictionary is known, want a directory of preprocessed text, or the file of a dictionary")
}

// PackPieces puts the pieces that a path names into the configuration itself.
func (c *DataConfig) PackPieces() error {
	if c.Pieces == "" {
		return nil
	}
	set, err := pieces.Open(c.Pieces)
	if err == nil {
		c.Pieces, c.PieceModel = "", set.Packed()
	}
	return err
}

// codec returns how text becomes ids.
func (c DataConfig) codec() (*plaintext.Codec, error) {
	if err := c.PackPieces(); err != nil {
		return nil, err
	}
	if c.PieceModel != nil {
		if c.Dict != "" {
			return nil, fmt.Errorf("both pieces and the dictionary %s are given, want one of them", c.Dict)
		}
		set, err := pieces.Unpack(c.PieceModel)
		if err != nil {
			return nil, err
		}
		return plaintext.OfPieces(set), nil
	}
	d, err := LoadDictionary(c)
	if err != nil {
		return nil, err
	}
	return plaintext.New(d, c.ofBytes())
}

func openPlainCorpus(c DataConfig) (*Corpus, error) {
	if !(c.TextHeldOut > 0 && c.TextHeldOut < 0.5) {
		return nil, fmt.Errorf("text_held_out is %g, want a share above 0 and below 0.5, since it is kept twice", c.TextHeldOut)
	}
	codec, err := c.codec()
	if err != nil {
		return nil, err
	}
	files, err := plaintext.Files(c.Text)
	if err != nil {
		return nil, err
	}
	text, err := codec.Open(c.Text, files)
	if err != nil {
		return nil, err
	}
	corpus := &Corpus{Dictionary: codec.Dictionary(), config: c, text: text, codec: codec, files: files}
	if c.Dict == "" {
		return corpus, nil
	}
	if n, err := text.Unknown(); n > 0 || err != nil {
		corpus.Close()
		return nil, cmp.Or(err, fmt.Errorf("%s: %d bytes of the text are not in the dictionary %s", c.Text, n, c.Dict))
	}
	return corpus, nil
}

// Close closes the splits.
func (c *Corpus) Close() error {
	var errs []error
	if c.text != nil {
		errs = append(errs, c.text.Close())
	}
	for _, f := range c.opened {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Has reports whether the corpus has a split.
func (c *Corpus) Has(split string) bool {
	if c.text == nil {
		return lines.Exists(filepath.Join(c.dirs[0], split))
	}
	_, err := c.slice(split)
	return err == nil
}

// open opens a split in one of the directories.
func (c *Corpus) open(split string, dir int) (lines.Lines, error) {
	if c.text != nil {
		return c.slice(split)
	}
	if split == "" {
		return nil, fmt.Errorf("%s: no name of a split is given, want one as valid", c.dirs[dir])
	}
	f, err := lines.OpenSplit(c.Dictionary.Encode, filepath.Join(c.dirs[dir], split), split == c.config.TrainSubset)
	if err != nil {
		return nil, err
	}
	c.opened = append(c.opened, f)
	return f, nil
}

// validSubsets returns the splits to validate on.
func (c DataConfig) validSubsets() []string { return train.Subsets(c.ValidSubset) }

// slice returns a part of a plain text: what is held out is at its end, first
// for validation, then for test.
func (c *Corpus) slice(split string) (lines.Lines, error) {
	size := c.text.Size(0)
	held := int(c.config.TextHeldOut * float64(size))
	switch split {
	case c.config.TrainSubset:
		return c.text.Slice(0, size-2*held)
	case c.config.validSubsets()[0]:
		return c.text.Slice(size-2*held, size-held)
	case c.config.TestSubset:
		return c.text.Slice(size-held, size)
	case WholeText:
		return c.text, nil
	}
	return nil, fmt.Errorf("%s: a plain text has no split %q, want %s, %s, %s or %s", c.config.Text, split,
		c.config.TrainSubset, c.config.ValidSubset, c.config.TestSubset, WholeText)
}

// options returns how a split is cut into blocks; chunk is the model's, which is
// their unit if there are chunks.
func (c *Corpus) options(split string, chunk int, seed uint64) (blocks.Options, error) {
	d := c.config
	if d.SampleBreakMode == "" && c.text != nil {
		d.SampleBreakMode = blocks.Stream.String()
	}
	mode, err := blocks.ParseBreak(d.SampleBreakMode)
	if err != nil {
		return blocks.Options{}, err
	}
	o := blocks.Options{
		Vocabulary: c.Dictionary.Len(), Break: mode, Size: chunk,
		MinMultiple: d.VariantBlockMultipleMin, MaxMultiple: d.VariantBlockMultipleMax,
		OutputVocabulary: max(d.OutputDictionarySize, 0), Seed: uint32(seed), AddBOS: d.AddBOSToken,
	}
	if chunk < 0 {
		o.Size = d.TokensPerSample
	}
	switch d.ShortenMethod {
	case "none", "":
	case "truncate":
		if d.ShortenDataSplitList == "" || slices.Contains(strings.Split(d.ShortenDataSplitList, ","), split) {
			o.Truncate = d.TokensPerSample
		}
	default:
		return o, fmt.Errorf("shorten_method is %q, want none or truncate", d.ShortenMethod)
	}
	return o, nil
}

// documents returns the documents of a held-out split, in batches.
func (c *Corpus) documents(split string, o blocks.Options, b blocks.Batching) (*blocks.Epoch, error) {
	valid, err := blocks.ParseValidBlock(c.config.ValidBlock)
	if err != nil {
		return nil, err
	}
	text, err := c.open(split, 0)
	if err != nil {
		return nil, err
	}
	epoch, err := blocks.Documents(text, valid, o, b)
	if err != nil {
		return nil, fmt.Errorf("split %s: %w", split, err)
	}
	return epoch, nil
}
