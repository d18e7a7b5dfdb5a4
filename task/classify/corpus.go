package classify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/labelled"
	"github.com/mega-go/mega/data/listops"
	"github.com/mega-go/mega/internal/textfile"
)

// DataConfig says where the data of a classification comes from and how it is
// batched. The JSON names are the reference's argument names.
type DataConfig struct {
	Task        string `json:"task" help:"lra-text, lra-image, speech_commands, listops (generated) or labelled (your own: a table, an array, folders)"`
	Data        string `json:"data" help:"directory of the data, in the reference's layout"`
	TrainSubset string `json:"train_subset" help:"name of the split to train on"`
	ValidSubset string `json:"valid_subset" help:"split to validate on, or several separated by commas; the first decides which checkpoint is best"`
	TestSubset  string `json:"test_subset" help:"name of the split for the final evaluation, if the data has it"`

	BatchSize        int  `json:"batch_size" help:"sequences in a batch"`
	MaxTokens        int  `json:"max_tokens" help:"tokens in a batch, padding included; 0 for no limit"`
	MaxSentences     int  `json:"max_sentences_valid" help:"sequences in a batch of validation; 0 for the same as in training"`
	MaxTokensValid   int  `json:"max_tokens_valid" help:"tokens in a batch of validation; 0 for the same as in training"`
	RequiredMultiple int  `json:"required_batch_size_multiple" help:"full batches are multiples of this"`
	NoShuffle        bool `json:"no_shuffle" help:"keep the order of the data"`
	SentenceAvg      bool `json:"sentence_avg" help:"divide loss and gradients by sequences, not by tokens"`

	PixelNormalization [2]float64 `json:"pixel_normalization" help:"mean and standard deviation of pixels between 0 and 1"`

	ScReference   bool     `json:"sc_reference" help:"speech: divide and normalise as the reference does, not by the data set's lists"`
	ScAllClasses  bool     `json:"sc_all_classes" help:"speech: all 35 words of Speech Commands, not ten"`
	ScDroppedRate float64  `json:"sc_dropped_rate" help:"speech: share of samples left out; only 0 can be"`
	ScWords       []string `json:"sc_words" help:"speech: the words, each the name of a directory (default the reference's ten)"`
	ScRate        int      `json:"sc_rate" help:"speech: samples a second that recordings are resampled to"`
	ScLength      int      `json:"sc_length" help:"speech: samples of a recording, which is cut or padded with silence"`

	labelled.Options
	Words int `json:"words,omitempty" range:"0,16777216" help:"labelled texts: read words with white space between, so many of the most frequent (default 0: bytes)"`

	ListopsLength [2]int `json:"listops_length" help:"shortest and longest generated expression, in symbols"`
	ListopsSizes  [3]int `json:"listops_sizes" help:"generated expressions for training, validation and test"`
	ListopsSeed   uint64 `json:"listops_seed" help:"fixes the generated expressions"`
}

// DefaultDataConfig returns the reference's defaults.
func DefaultDataConfig() DataConfig {
	return DataConfig{
		TrainSubset: "train", ValidSubset: "valid", TestSubset: "test",
		RequiredMultiple: 8, PixelNormalization: [2]float64{0.5, 0.5},
		ScRate: 16000, ScLength: 16000,
		ListopsLength: [2]int{500, 2000}, ListopsSizes: [3]int{96000, 2000, 2000}, ListopsSeed: 1,
	}
}

// A Split is one part of a corpus.
type Split interface {
	data.Dataset
	// Labels returns the class of each sample.
	Labels() []int32
}

// A Corpus is the data of a classification: splits by name, opened when asked
// for.
type Corpus struct {
	Vocabulary int               // ids of texts, 0 for real numbers
	Classes    []string          // names of the classes, in their order
	Inputs     Inputs            // how raw inputs become samples of the corpus
	Seen       *labelled.Summary // what was understood of labelled data, or nil
	Parts      []string          // of labelled data that a checkpoint was trained on: where each sample was, in the order in which they lie
	Redivided  bool              // it is that data, divided otherwise than its training did: what is held out may have been trained on

	open       func(split string) (Split, error)
	names      []string
	dictionary string // file of the vocabulary, "" if it has none of its own
}

// Open returns a split.
func (c *Corpus) Open(split string) (Split, error) { return c.open(split) }

// Has reports whether the corpus has a split.
func (c *Corpus) Has(split string) bool {
	return slices.Contains(c.names, split)
}

// OpenCorpus opens the data that a configuration names, for a model.
func OpenCorpus(d DataConfig, m mega.ClassifierConfig) (*Corpus, error) {
	if d.Data == "" && d.Task != "listops" {
		what := "the directory of its data"
		if d.Task == TaskLabelled {
			what = "data: a table, an array or a directory of labelled samples"
		}
		return nil, fmt.Errorf("task %s needs %s", d.Task, what)
	}
	switch d.Task {
	case "lra-text":
		return openTexts(d, m)
	case "lra-image":
		return openImages(d, m)
	case "speech_commands":
		return openSpeech(d)
	case "listops":
		return openListOps(d, m)
	case TaskLabelled:
		return openLabelled(d, m)
	case "":
		return nil, errors.New("no task is given, want task lra-text, lra-image, speech_commands, listops or labelled")
	}
	return nil, fmt.Errorf("unknown task %q, want lra-text, lra-image, speech_commands, listops or labelled", d.Task)
}

func openTexts(d DataConfig, m mega.ClassifierConfig) (*Corpus, error) {
	dir, err := data.OpenTextDir(d.Data)
	if err != nil {
		return nil, err
	}
	return &Corpus{
		Vocabulary: dir.Source.Len(), Classes: dir.Classes(), Inputs: textInputs(dir.Source, dir.Bytes, dir.Classes()),
		names: splitsWith(d.Data, "src-bin", ".idx"), dictionary: dir.Source.Name(),
		open: func(split string) (Split, error) {
			return dir.Open(split, data.TextOptions{
				MaxPositions: m.MaxPositions, PrependCLS: m.SenRepType == mega.SenRepCLS,
				Classes: m.SentenceClassNum, Combine: split == d.TrainSubset,
			})
		},
	}, nil
}

func openImages(d DataConfig, m mega.ClassifierConfig) (*Corpus, error) {
	classes, err := imageClasses(d.Data, m.SentenceClassNum)
	if err != nil {
		return nil, err
	}
	c := &Corpus{
		Classes: classes, names: splitsWith(d.Data, "input", ".src"),
		Inputs: Inputs{Kind: InputImage, Classes: classes, PixelNormalization: d.PixelNormalization},
	}
	c.open = func(split string) (Split, error) {
		p, err := data.OpenPixels(d.Data, split, data.PixelOptions{
			Mean: float32(d.PixelNormalization[0]), Std: float32(d.PixelNormalization[1]),
			MaxPositions: m.MaxPositions, Classes: m.SentenceClassNum,
		})
		if err == nil {
			c.Inputs.setPixels(p.Size(0))
		}
		return p, err
	}
	return c, nil
}

// listOpsInputs describes generated expressions.
func listOpsInputs() Inputs {
	return textInputs(listops.Vocabulary(), false, numberedClasses(listops.Classes))
}

// splitsWith lists the files DIR/SUB/NAME+suffix by NAME.
func splitsWith(dir, sub, suffix string) []string {
	files, _ := filepath.Glob(filepath.Join(dir, sub, "*"+suffix)) // the pattern is always valid
	var names []string
	for _, f := range files {
		base := filepath.Base(f)
		if info, err := os.Stat(f); err == nil && !info.IsDir() && !textfile.Clutter(base) {
			names = append(names, base[:len(base)-len(suffix)])
		}
	}
	return names
}

func numberedClasses(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// maxListOps bounds the symbols of generated expressions, which are all in memory.
const maxListOps = 1 << 28

// checkListOps holds the sizes of generated expressions against the model.
func checkListOps(d DataConfig, m mega.ClassifierConfig) error {
	if short, long := d.ListopsLength[0], d.ListopsLength[1]; short < 1 || long < short || long > m.MaxPositions {
		return fmt.Errorf("listops_length is %d to %d, want lengths from 1 to max_positions = %d", short, long, m.MaxPositions)
	}
	left := maxListOps / d.ListopsLength[1]
	for _, n := range d.ListopsSizes {
		if n < 0 || n > left {
			return fmt.Errorf("listops_sizes are %v, want no negative ones, and %d symbols at most in all", d.ListopsSizes, maxListOps)
		}
		left -= n
	}
	return nil
}

// openListOps generates expressions; all splits come from one list without
// repetition, so none of the held-out ones was trained on.
func openListOps(d DataConfig, m mega.ClassifierConfig) (*Corpus, error) {
	if err := checkListOps(d, m); err != nil {
		return nil, err
	}
	c := listops.LRA
	c.MinLength, c.MaxLength = d.ListopsLength[0]-1, d.ListopsLength[1]+1
	total := d.ListopsSizes[0] + d.ListopsSizes[1] + d.ListopsSizes[2]
	expressions, err := c.Generate(total, d.ListopsSeed)
	if err != nil {
		return nil, err
	}
	from := 0
	splits := make(map[string]*listops.Dataset)
	names := []string{d.TrainSubset, d.validSubsets()[0], d.TestSubset}
	for i, n := range d.ListopsSizes {
		if splits[names[i]], err = listops.NewDataset(expressions[from : from+n]); err != nil {
			return nil, err
		}
		from += n
	}
	return &Corpus{
		Vocabulary: listops.Vocabulary().Len(), Classes: numberedClasses(listops.Classes), Inputs: listOpsInputs(), names: names,
		open: func(split string) (Split, error) {
			if s, ok := splits[split]; ok {
				return s, nil
			}
			return nil, fmt.Errorf("no split %q of generated ListOps, want one of %v", split, names)
		},
	}, nil
}
