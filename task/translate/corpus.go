package translate

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/pairs"
	"github.com/mega-go/mega/data/pieces"
)

// DataConfig says where sentence pairs come from, how they are
// batched and how translations are judged. The JSON names are the reference's
// argument names.
type DataConfig struct {
	Task        string `json:"task" help:"translation"`
	Data        string `json:"data" help:"directory that mega preprocess wrote (dict.LANG.txt, SPLIT.SRC-TGT.LANG.bin, .idx); several, separated by colons, take turns by epoch"`
	SourceLang  string `json:"source_lang" help:"source language; inferred from the files if none is given"`
	TargetLang  string `json:"target_lang" help:"target language; inferred from the files if none is given"`
	PieceModel  []byte `json:"piece_model,omitempty"` // the pieces of the data, compressed: translating text needs no other file
	TrainSubset string `json:"train_subset" help:"name of the split to train on"`
	ValidSubset string `json:"valid_subset" help:"split to validate on, or several separated by commas; the first decides which checkpoint is best"`
	TestSubset  string `json:"test_subset" help:"name of the split for the final evaluation, if the data has it"`

	BatchSize         int  `json:"batch_size" help:"pairs in a batch; 0 for no limit"`
	MaxTokens         int  `json:"max_tokens" help:"tokens in a batch, of source or target, padding included; 0 for no limit"`
	MaxSentencesValid int  `json:"max_sentences_valid" help:"pairs in a batch of validation; 0 for training's"`
	MaxTokensValid    int  `json:"max_tokens_valid" help:"tokens in a batch of validation; 0 for training's"`
	RequiredMultiple  int  `json:"required_batch_size_multiple" help:"full batches are multiples of this"`
	LeftPadSource     bool `json:"left_pad_source" help:"pad sources on the left"`
	LeftPadTarget     bool `json:"left_pad_target" help:"pad targets on the left"`
	TruncateSource    bool `json:"truncate_source" help:"cut longer sources to max-source-positions"`
	UpsamplePrimary   int  `json:"upsample_primary" help:"times that train is read where there are train1, train2, ..."`
	SkipInvalid       bool `json:"skip_invalid_size_inputs_valid_test" help:"leave out pairs that are too long for the model, outside training too"`

	Criterion      string  `json:"criterion" help:"cross_entropy or label_smoothed_cross_entropy"`
	LabelSmoothing float64 `json:"label_smoothing" help:"share of the target's probability that is spread over all words; label_smoothed_cross_entropy"`
	SentenceAvg    bool    `json:"sentence_avg" help:"divide loss and gradients by pairs, not by target tokens"`

	EvalBLEU             bool   `json:"eval_bleu" help:"translate in validation, and measure BLEU"`
	EvalBLEUDetok        string `json:"eval_bleu_detok" help:"how tokens are joined to text for BLEU: space, as they are, or moses"`
	EvalBLEUDetokArgs    string `json:"eval_bleu_detok_args" help:"the detokeniser's options, as JSON or a Python dictionary: {\"moses_target_lang\": \"de\"}"`
	EvalTokenizedBLEU    bool   `json:"eval_tokenized_bleu" help:"BLEU of the tokens as they are, not of sacreBLEU's 13a"`
	EvalBLEURemoveBPE    string `json:"eval_bleu_remove_bpe" help:"put subwords together for BLEU: \"@@ \", sentencepiece, ..."`
	EvalBLEUArgs         string `json:"eval_bleu_args" help:"how to search for BLEU, as JSON or a Python dictionary: {\"beam\": 4, \"lenpen\": 0.6}"`
	EvalBLEUPrintSamples bool   `json:"eval_bleu_print_samples" help:"print the first translation of each validation beside its reference"`
}

// DefaultDataConfig returns the reference's defaults.
func DefaultDataConfig() DataConfig {
	return DataConfig{
		Task: checkpoint.Translation, TrainSubset: "train", ValidSubset: "valid", TestSubset: "test",
		RequiredMultiple: 8, LeftPadSource: true, UpsamplePrimary: 1,
		Criterion: "cross_entropy", EvalBLEUDetok: "space",
	}
}

// CheckpointData returns the reference's defaults with the data and languages
// that a checkpoint names. All else that it was trained with, such as the side of
// padding, is not taken over: the reference's generate.py does not either.
func CheckpointData(c *checkpoint.Checkpoint) (DataConfig, error) {
	config, trained := DefaultDataConfig(), DefaultDataConfig()
	err := c.DataConfig(&trained)
	if err == nil {
		err = pieces.Check(trained.PieceModel, c.Path)
	}
	config.Data, config.SourceLang, config.TargetLang, config.PieceModel = trained.Data, trained.SourceLang, trained.TargetLang, trained.PieceModel
	return config, err
}

// smoothing returns what the criterion smooths labels by.
func (c DataConfig) smoothing() (float64, error) {
	switch c.Criterion {
	case "cross_entropy":
		if c.LabelSmoothing != 0 {
			return 0, fmt.Errorf("label_smoothing is %g, but the criterion cross_entropy has none; want label_smoothed_cross_entropy", c.LabelSmoothing)
		}
		return 0, nil
	case "label_smoothed_cross_entropy":
		if !(c.LabelSmoothing >= 0 && c.LabelSmoothing < 1) {
			return 0, fmt.Errorf("label_smoothing is %g, want a share from 0 to below 1", c.LabelSmoothing)
		}
		return c.LabelSmoothing, nil
	}
	return 0, fmt.Errorf("criterion is %q, want cross_entropy or label_smoothed_cross_entropy for translation", c.Criterion)
}

// Validate reports values that are impossible.
func (c DataConfig) Validate() error {
	_, err := c.smoothing()
	if err == nil && c.EvalBLEU {
		_, err = newBLEUEvaluation(c)
	}
	if err == nil && c.BatchSize == 0 && c.MaxTokens == 0 {
		err = errors.New("neither batch_size nor max_tokens is given, want one of them at least")
	}
	return err
}

func (c DataConfig) padding() pairs.Padding {
	return pairs.Padding{LeftSource: c.LeftPadSource, LeftTarget: c.LeftPadTarget}
}

// A Corpus is the sentence pairs of a translator: dictionaries, and splits
// opened when asked for.
type Corpus struct {
	*pairs.Dir
	config DataConfig
	dirs   []*pairs.Dir // one for each directory; only training reads others than the first
	opened []*pairs.Split
}

// OpenCorpus opens what a configuration names. Close the corpus when done.
func OpenCorpus(c DataConfig) (*Corpus, error) {
	if c.Data == "" {
		return nil, errors.New("no data is given, want the directory that mega preprocess wrote")
	}
	corpus := &Corpus{config: c}
	var known *pieces.Set // that the data must be of; nil for any
	if c.PieceModel != nil {
		var err error
		if known, err = pieces.Unpack(c.PieceModel); err != nil {
			return nil, err
		}
	}
	for _, path := range strings.Split(c.Data, ":") {
		dir, err := pairs.OpenDir(path, c.SourceLang, c.TargetLang)
		if err != nil {
			return nil, err
		}
		if len(corpus.dirs) > 0 && (dir.Source.Len() != corpus.Source.Len() || dir.Target.Len() != corpus.Target.Len()) {
			return nil, fmt.Errorf("%s: dictionaries of %d and %d symbols, but those of %s have %d and %d",
				path, dir.Source.Len(), dir.Target.Len(), corpus.Path, corpus.Source.Len(), corpus.Target.Len())
		}
		if known != nil && (dir.Pieces == nil || !dir.Pieces.Equal(known)) {
			return nil, fmt.Errorf("%s: the data is not of the pieces that the model was trained with; preprocess it with these", dir.Path)
		}
		known = cmp.Or(known, dir.Pieces)
		corpus.dirs = append(corpus.dirs, dir)
		corpus.Dir = corpus.dirs[0]
	}
	return corpus, nil
}

// Close closes the splits.
func (c *Corpus) Close() error {
	var errs []error
	for _, s := range c.opened {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// open opens a split in one of the directories for a model.
func (c *Corpus) open(split string, dir int, m mega.TranslatorConfig) (*pairs.Split, error) {
	o := pairs.OpenOptions{Combine: split == c.config.TrainSubset, UpsamplePrimary: c.config.UpsamplePrimary}
	if c.config.TruncateSource {
		o.TruncateSource = m.MaxSourcePositions
	}
	s, err := c.dirs[dir].Open(split, o)
	if err != nil {
		return nil, err
	}
	c.opened = append(c.opened, s)
	return s, nil
}

// checkModel says whether the dictionaries are those of a model.
func (c *Corpus) checkModel(m mega.TranslatorConfig) error {
	for _, side := range []struct {
		what, lang  string
		words, want int
	}{
		{"source", c.SourceLang, c.Source.Len(), m.SourceVocabSize},
		{"target", c.TargetLang, c.Target.Len(), m.TargetVocabSize},
	} {
		if side.words != side.want {
			return fmt.Errorf("%s: the %s dictionary dict.%s.txt has %d symbols and the model %d: it is not the one that the model was trained with",
				c.Path, side.what, side.lang, side.words, side.want)
		}
	}
	return c.checkShared(m)
}

// checkShared reports embeddings shared by languages with
// dictionaries of their own.
func (c *Corpus) checkShared(m mega.TranslatorConfig) error {
	if m.ShareAllEmbeddings && !c.Joined() {
		return fmt.Errorf("%s: share_all_embeddings needs one dictionary for both languages, but dict.%s.txt and dict.%s.txt differ; preprocess with joined_dictionary",
			c.Path, c.SourceLang, c.TargetLang)
	}
	return nil
}

// sampler cuts a split into batches. For training pairs that are too long are
// left out, as in the reference, and those longer than a batch may be.
func (c *Corpus) sampler(s *pairs.Split, split string, m mega.TranslatorConfig, size, tokens int) (*pairs.Sampler, error) {
	training := split == c.config.TrainSubset
	o := pairs.SamplerOptions{
		SamplerOptions: data.SamplerOptions{
			BatchSize: size, MaxTokens: tokens, Multiple: c.config.RequiredMultiple, Seed: uint32(m.Seed),
			NaturalOrder: split == "test", Shuffle: training,
		},
		MaxSource: m.MaxSourcePositions, MaxTarget: m.MaxTargetPositions, SkipTooLong: training || c.config.SkipInvalid,
		SourceChunk: m.EncoderChunkSize, TargetChunk: m.DecoderChunkSize,
	}
	if training && tokens > 0 {
		o.MaxSource, o.MaxTarget = min(o.MaxSource, tokens), min(o.MaxTarget, tokens)
	}
	sampler, err := pairs.NewSampler(s.Dataset, o)
	if err != nil {
		return nil, fmt.Errorf("split %s: %w", split, err)
	}
	return sampler, nil
}
