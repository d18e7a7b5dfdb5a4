package classify

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/audio"
	"github.com/mega-go/mega/data/bytetext"
	"github.com/mega-go/mega/data/labelled"
	"github.com/mega-go/mega/internal/config"
)

// The kinds of input of a classifier.
const (
	InputBytes  = "bytes"  // text, a token each byte
	InputWords  = "words"  // text, tokens with white space between
	InputImage  = "image"  // grey pixels, row by row
	InputAudio  = "audio"  // samples of sound
	InputSeries = "series" // real numbers, of one channel or several
)

// Inputs says how raw inputs become what a classifier reads: what training did
// with its data. It travels with the checkpoint.
type Inputs struct {
	Kind    string   `json:"kind"`
	Classes []string `json:"classes"` // names of the classes, in their order

	// Words is the dictionary of texts without the special symbols; <CLS> is
	// its last word.
	Words []string `json:"words,omitempty"`

	Width              int        `json:"width,omitempty"` // of images
	Height             int        `json:"height,omitempty"`
	PixelNormalization [2]float64 `json:"pixel_normalization,omitzero"` // mean and deviation of pixels between 0 and 1

	Rate          int                  `json:"rate,omitempty"`   // samples of sound a second
	Length        int                  `json:"length,omitempty"` // samples of a recording, cut or padded with silence
	Normalization *audio.Normalization `json:"normalization,omitempty"`

	Scales []Scale `json:"scales,omitempty"` // of series, one a channel
}

// textInputs describes texts of a dictionary, whose words are bytes if that is
// known or certain.
func textInputs(source *data.Dictionary, bytes bool, classes []string) Inputs {
	in := Inputs{Kind: InputWords, Classes: classes}
	if bytes || bytetext.IsDictionary(source) {
		in.Kind = InputBytes
	}
	for id := data.NumSpecial; int(id) < source.Len(); id++ {
		in.Words = append(in.Words, source.Symbol(id))
	}
	return in
}

// dictionary returns the dictionary of texts.
func (in *Inputs) dictionary() *data.Dictionary {
	d := data.NewDictionary()
	for _, word := range in.Words {
		d.Add(word, 1)
	}
	return d
}

// setPixels sets the size of images of so many pixels: a square, if it can be.
func (in *Inputs) setPixels(n int) {
	in.Width, in.Height = n, 1
	if side := int(math.Round(math.Sqrt(float64(n)))); side*side == n {
		in.Width, in.Height = side, side
	}
}

// trainedOn is what a run's configuration says of its data.
type trainedOn struct {
	DataConfig
	Inputs *Inputs `json:"inputs,omitempty"`

	Seen   *labelled.Summary `json:"seen,omitempty"`   // what was understood of labelled data
	Digest string            `json:"digest,omitempty"` // of labelled data
}

// CheckpointData returns what a checkpoint was trained on: the defaults where it
// does not say.
func CheckpointData(c *checkpoint.Checkpoint) (DataConfig, error) {
	d := DefaultDataConfig()
	d.BatchSize = 32
	err := c.DataConfig(&d)
	// The reference knows one way to read recordings.
	d.ScReference = d.ScReference || c.Args != nil
	return d, err
}

// CheckpointInputs returns how raw inputs become what a checkpoint's model
// reads. Checkpoints of mega train say so themselves. For others d.Data names
// the data that they were trained on: for texts its dictionaries are read, for
// recordings speech.json or the recordings.
func CheckpointInputs(c *checkpoint.Checkpoint, m mega.ClassifierConfig, d DataConfig) (Inputs, error) {
	var t trainedOn
	if err := c.DataConfig(&t); err != nil {
		return Inputs{}, err
	}
	if t.Inputs != nil {
		return *t.Inputs, config.Wrap(c.Path+": data: inputs", t.Inputs.check(m))
	}
	in, err := derivedInputs(d, m)
	if err == nil {
		err = in.check(m)
	}
	if err != nil {
		err = fmt.Errorf("%s does not say how its inputs are read, and its data does not show it: %w (give the directory of the data)", c.Path, err)
	}
	return in, err
}

// DictionaryInputs returns how raw texts become what a model reads, by the
// dictionary of its words (dict.txt of src-bin) and that of its labels, "" if
// classes are to have numbers instead of names.
func DictionaryInputs(m mega.ClassifierConfig, source, labels string) (Inputs, error) {
	d, err := data.OpenTextDictionaries(source, labels)
	if err != nil {
		return Inputs{}, err
	}
	in := textInputs(d.Source, d.Bytes, d.Classes())
	if err := in.check(m); err != nil {
		return Inputs{}, fmt.Errorf("%s: %w", source, err)
	}
	return in, nil
}

// derivedInputs tells from a model and the data that it was trained on.
func derivedInputs(d DataConfig, m mega.ClassifierConfig) (Inputs, error) {
	switch m.InputType {
	case mega.InputText:
		if d.Task == "listops" {
			return listOpsInputs(), nil
		}
		dir, err := data.OpenTextDir(d.Data)
		if err != nil {
			return Inputs{}, err
		}
		return textInputs(dir.Source, dir.Bytes, dir.Classes()), nil
	case mega.InputImage:
		classes, err := imageClasses(d.Data, m.SentenceClassNum)
		in := Inputs{Kind: InputImage, Classes: classes, PixelNormalization: d.PixelNormalization}
		in.setPixels(m.MaxPositions)
		return in, err
	}
	if d.Data == "" {
		return Inputs{}, errors.New("it names no data")
	}
	corpus, err := openSpeech(d)
	if err != nil {
		return Inputs{}, err
	}
	return corpus.Inputs, nil
}

// check holds inputs against a model, whose size bounds what is made of a file.
func (in *Inputs) check(m mega.ClassifierConfig) error {
	if in.Kind == InputSeries {
		return in.checkSeries(m)
	}
	kinds := map[string]string{InputBytes: mega.InputText, InputWords: mega.InputText, InputImage: mega.InputImage, InputAudio: mega.InputAudio}
	switch {
	case kinds[in.Kind] != m.InputType:
		return fmt.Errorf("inputs are %q, but the model reads %s", in.Kind, m.InputType)
	case m.Tokens() && len(in.Words)+int(data.NumSpecial) != m.VocabSize:
		return fmt.Errorf("the dictionary has %d symbols, the model %d", len(in.Words)+int(data.NumSpecial), m.VocabSize)
	case len(in.Classes) > m.SentenceClassNum:
		return fmt.Errorf("%d names for %d classes", len(in.Classes), m.SentenceClassNum)
	case in.Kind == InputImage && (in.Width < 1 || in.Height < 1 || in.Width > m.MaxPositions/in.Height):
		return fmt.Errorf("width and height are %d by %d pixels, want 1 to max_positions = %d in all", in.Width, in.Height, m.MaxPositions)
	case in.Kind == InputAudio && (in.Length < 1 || in.Length > m.MaxPositions):
		return fmt.Errorf("length is %d samples, want 1 to max_positions = %d", in.Length, m.MaxPositions)
	case in.Kind == InputAudio && !in.Normalization.Valid():
		return errors.New("nothing says with what normalisation recordings were read")
	case in.Kind == InputAudio:
		return config.Wrap("rate", audio.CheckRate(in.Rate))
	}
	return nil
}

func (in *Inputs) checkSeries(m mega.ClassifierConfig) error {
	switch {
	case m.Tokens():
		return fmt.Errorf("inputs are series of numbers, but the model reads %s", m.InputType)
	case len(in.Scales) != m.Channels():
		return fmt.Errorf("inputs have %d channels, but the model reads input_channels = %d", len(in.Scales), m.Channels())
	case len(in.Classes) > m.SentenceClassNum:
		return fmt.Errorf("%d names for %d classes", len(in.Classes), m.SentenceClassNum)
	case slices.ContainsFunc(in.Scales, func(s Scale) bool { return !(s.Std > 0) }):
		return errors.New("scales have a deviation that is not above 0")
	}
	return nil
}

// className returns the name of class i, of those that have one.
func className(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("class %d", i)
}

// imageClasses returns the names of the classes of images: the lines of
// DIR/classes.txt, if it is there, else numbers.
func imageClasses(dir string, n int) ([]string, error) {
	names, err := data.ReadClasses(filepath.Join(dir, data.ClassesFile))
	if err != nil || names == nil {
		return numberedClasses(n), err
	}
	if len(names) > n {
		return nil, fmt.Errorf("%s has %d names for %d classes", filepath.Join(dir, data.ClassesFile), len(names), n)
	}
	return names, nil
}
