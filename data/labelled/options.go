package labelled

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/table"
)

// Options says how labelled data is read. The zero value guesses columns by their
// names and holds a tenth out for validation and another for the test.
type Options struct {
	TextColumn    []string  `json:"text_column,omitempty" help:"labelled table: column of the texts, or two of pairs with a comma between (default one called text, sentence, …)"`
	ValuesColumn  []string  `json:"values_column,omitempty" help:"labelled table: column of lists of numbers, or several, a channel each (default: those that hold lists, else every column of numbers is a step)"`
	LabelColumn   string    `json:"label_column,omitempty" help:"labelled table: column of the classes (default one called label, class, …)"`
	SplitColumn   string    `json:"split_column,omitempty" help:"labelled table: column that says train, valid or test of each row"`
	Labels        string    `json:"labels,omitempty" help:"labels of a .npy file: another one, or text with a label a line"`
	ValidFile     string    `json:"valid_file,omitempty" help:"labelled data to validate on, in place of a share"`
	TestFile      string    `json:"test_file,omitempty" help:"labelled data to test on, in place of a share"`
	HeldOut       []float64 `json:"held_out,omitempty" range:"0,1" help:"shares of the labelled samples to validate and to test on (default 0.1,0.1)"`
	SplitSeed     uint64    `json:"split_seed,omitempty" help:"fixes which labelled samples are held out"`
	ClassWeights  []string  `json:"class_weights,omitempty" help:"weights of the classes in the loss: none, balanced (each class has the same part in it), or CLASS=WEIGHT, 1 for those not named (default none)"`
	Encoding      string    `json:"encoding,omitempty" help:"encoding of labelled text without a byte order mark: utf-8, utf-16le, utf-16be, latin-1 or windows-1252 (default utf-8)"`
	NoHeader      bool      `json:"no_header,omitempty" help:"the first row of a labelled table is a sample: columns are called 1, 2, …"`
	unlabelled    bool      // samples need no labels
	SkipMalformed bool      `json:"skip_malformed,omitempty" help:"leave out rows of labelled data that are not as they should be, and name the first"`
}

// The parts that labelled data is divided into.
const (
	Train = "train"
	Valid = "valid"
	Test  = "test"
)

// Splits are the parts in their order.
var Splits = []string{Train, Valid, Test}

// splitNames are the names of parts in files, folders and columns.
var splitNames = map[string]string{
	"train": Train, "training": Train,
	"valid": Valid, "validation": Valid, "val": Valid, "dev": Valid,
	"test": Test, "testing": Test,
}

// splitOf returns the part that a name stands for.
func splitOf(name string) (string, bool) {
	split, ok := splitNames[strings.ToLower(strings.TrimSpace(name))]
	return split, ok
}

// shares returns what part of the samples is held out for validation and test.
func (o Options) shares() (valid, test float64, err error) {
	if o.HeldOut == nil {
		return 0.1, 0.1, nil
	}
	for _, share := range o.HeldOut {
		if !(share >= 0 && share < 1) {
			return 0, 0, fmt.Errorf("held_out is %v, want shares from 0 to below 1", o.HeldOut)
		}
	}
	switch len(o.HeldOut) {
	case 1:
		valid = o.HeldOut[0]
	case 2:
		valid, test = o.HeldOut[0], o.HeldOut[1]
	default:
		return 0, 0, fmt.Errorf("held_out has %d shares, want those of validation and test", len(o.HeldOut))
	}
	if valid == 0 || valid+test >= 1 || math.IsNaN(valid+test) {
		return 0, 0, fmt.Errorf("held_out is %v, want something to validate on and something to train on", o.HeldOut)
	}
	return valid, test, nil
}

// Check reports options that contradict each other.
func (o Options) Check() error {
	if _, _, err := o.shares(); err != nil {
		return err
	}
	if err := data.CheckClassWeights(o.ClassWeights); err != nil {
		return err
	}
	switch {
	case len(o.TextColumn) > 2:
		return fmt.Errorf("text_column names %d columns, want one, or two of pairs", len(o.TextColumn))
	case len(o.TextColumn) > 0 && len(o.ValuesColumn) > 0:
		return fmt.Errorf("text_column and values_column exclude each other: samples are texts or series")
	}
	return table.CheckEncoding(o.Encoding)
}

// arrays are the endings of arrays of numpy.
var arrays = []string{".npy", ".npz"}

// IsFile tells whether a file can hold labelled samples by its name.
func IsFile(path string) bool { return table.Is(path) || isArray(path) }

func isArray(path string) bool {
	return slices.Contains(arrays, strings.ToLower(filepath.Ext(table.Name(path))))
}
