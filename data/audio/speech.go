package audio

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/mt19937"
	"github.com/mega-go/mega/internal/textfile"
)

// SC10 is the ten words of the reference's task, in the order of its classes
// (data/audio/speech_commands_dataset.py:145).
var SC10 = []string{"yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"}

// SC35 is all words of Speech Commands v0.02, in the reference's order
// (speech_commands_dataset.py:161).
var SC35 = []string{
	"bed", "cat", "down", "five", "forward", "go", "house", "left", "marvin", "no", "on", "right",
	"sheila", "tree", "up", "visual", "yes", "backward", "bird", "dog", "eight", "follow", "four",
	"happy", "learn", "nine", "off", "one", "seven", "six", "stop", "three", "two", "wow", "zero",
}

// Options says how directories of recordings become a task. The zero value is
// the reference's SC10 task with a normalisation that makes the variance 1.
type Options struct {
	// Classes are the words, each the name of a directory; nil means SC10.
	Classes []string
	// Lists divides by validation_list.txt and testing_list.txt, as the data
	// set's authors mean it, and makes every clip the right length. Without it
	// clips of another length are left out and the rest is divided 70/15/15 as
	// the reference does (which depends on the order of files on its disk; here
	// they are sorted by name).
	Lists bool
	// ReferenceNormalization takes the reference's normalisation, whose result
	// is far from unit variance, in place of one mean and one deviation.
	ReferenceNormalization bool
	// Rate and Length are the samples a second and a clip; 0 means 16000.
	// Recordings are resampled, then cut or padded with silence at the end.
	Rate, Length int
}

func (o Options) withDefaults() Options {
	if o.Classes == nil {
		o.Classes = SC10
	}
	if o.Rate == 0 {
		o.Rate = 16_000
	}
	if o.Length == 0 {
		o.Length = 16_000
	}
	return o
}

// SpeechCommands is a directory of recordings, DIR/WORD/*.wav (or the same
// under DIR/SpeechCommands, where the reference puts them), as three splits.
// Recordings are read when a batch needs them.
type SpeechCommands struct {
	// Normalization is that of the training split.
	Normalization *Normalization
	options       Options
	splits        map[string][]recording
}

// recording is a file and the index of its word.
type recording struct {
	path  string
	label int
}

// OpenSpeechCommands finds the recordings, divides them and takes the training
// split's mean and deviation, for which it reads that split once.
func OpenSpeechCommands(dir string, o Options) (*SpeechCommands, error) {
	o = o.withDefaults()
	if o.Rate < minRate || o.Rate > maxRate || o.Length < 1 {
		return nil, fmt.Errorf("%d samples a second and %d a clip; want %d to %d and 1 at least", o.Rate, o.Length, minRate, maxRate)
	}
	if err := checkWords(o.Classes); err != nil {
		return nil, err
	}
	if inner := filepath.Join(dir, "SpeechCommands"); isDir(inner) {
		dir = inner
	}
	s := &SpeechCommands{options: o}
	recordings, err := findRecordings(dir, o.Classes)
	if err != nil {
		return nil, err
	}
	if o.Lists {
		err = s.splitByLists(dir, recordings)
	} else {
		err = s.splitAsReference(recordings)
	}
	if err != nil {
		return nil, err
	}
	if len(s.splits["train"]) == 0 {
		return nil, fmt.Errorf("%s: no recordings in the training split", dir)
	}
	return s, s.normalise()
}

// checkWords refuses what would make one directory two classes, or of another.
func checkWords(words []string) error {
	for i, word := range words {
		if word == "" || word == "." || word == ".." || filepath.Base(word) != word {
			return fmt.Errorf("word %d is %q, want the name of a directory", i+1, word)
		}
		if slices.Contains(words[:i], word) {
			return fmt.Errorf("the word %q is given twice", word)
		}
	}
	return nil
}

// findRecordings lists the WAV files of each word by name.
func findRecordings(dir string, classes []string) ([]recording, error) {
	var all []recording
	for label, word := range classes {
		entries, err := textfile.ReadDir(filepath.Join(dir, word)) // sorted
		if err != nil {
			return nil, fmt.Errorf("%s: no directory of recordings of %q; want one for each of %s",
				filepath.Join(dir, word), word, strings.Join(classes, " "))
		}
		before := len(all)
		for _, e := range entries {
			if strings.EqualFold(filepath.Ext(e.Name()), ".wav") {
				all = append(all, recording{filepath.Join(dir, word, e.Name()), label})
			}
		}
		if len(all) == before {
			return nil, fmt.Errorf("%s: no WAV files", filepath.Join(dir, word))
		}
	}
	return all, nil
}

// splitByLists puts the recordings named in the two lists apart. The rest is
// shuffled, as the reference's is by its lots: batches are cut in this order,
// and must not be of one word.
func (s *SpeechCommands) splitByLists(dir string, recordings []recording) error {
	lists, err := readLists(dir)
	if err != nil {
		return err
	}
	s.splits = map[string][]recording{}
	for _, r := range recordings {
		split := lists.split(r.path)
		s.splits[split] = append(s.splits[split], r)
	}
	if err := lists.check(dir, s.options.Classes); err != nil {
		return err
	}
	train := s.splits["train"]
	mt19937.New(0).Shuffle(len(train), func(i, j int) { train[i], train[j] = train[j], train[i] })
	return nil
}

// splitAsReference leaves out what has not the right length and divides the
// rest by the reference's lots.
func (s *SpeechCommands) splitAsReference(recordings []recording) error {
	var whole []recording
	var labels []int
	for _, r := range recordings {
		n, err := s.measure(r.path)
		if err != nil {
			return err
		}
		if n == s.options.Length {
			whole = append(whole, r)
			labels = append(labels, r.label)
		}
	}
	if len(whole) == 0 {
		return fmt.Errorf("none of %d recordings has %d samples at %d a second; divide by lists to cut and pad them",
			len(recordings), s.options.Length, s.options.Rate)
	}
	train, valid, test := referenceSplit(labels, len(s.options.Classes))
	s.splits = map[string][]recording{}
	for name, indices := range map[string][]int{"train": train, "valid": valid, "test": test} {
		for _, i := range indices {
			s.splits[name] = append(s.splits[name], whole[i])
		}
	}
	return nil
}

// measure returns the number of samples a file will have once resampled.
func (s *SpeechCommands) measure(path string) (int, error) {
	frames, rate, err := MeasureWAV(path)
	if err != nil {
		return 0, err
	}
	return resampledLen(frames, rate, s.options.Rate), nil
}

// normalise reads the training split.
func (s *SpeechCommands) normalise() error {
	var m moments
	x := make([]float32, s.options.Length)
	for _, r := range s.splits["train"] {
		if err := Load(x, r.path, s.options.Rate); err != nil {
			return err
		}
		m.add(x)
	}
	if s.options.ReferenceNormalization {
		s.Normalization = m.reference()
	} else {
		s.Normalization = m.overall()
	}
	return nil
}

// Load fills x with the recording of a WAV file: resampled to rate, cut or
// padded with silence, not normalised.
func Load(x []float32, path string, rate int) error {
	clip, err := ReadWAV(path)
	if err != nil {
		return err
	}
	n := copy(x, Resample(clip.Samples, clip.Rate, rate))
	clear(x[n:])
	return nil
}

// Format says how the recordings become what a model reads.
func (s *SpeechCommands) Format() Format {
	return Format{s.Classes(), s.options.Rate, s.options.Length, s.Normalization}
}

// Classes returns the words in the order of the classes.
func (s *SpeechCommands) Classes() []string { return slices.Clone(s.options.Classes) }

// Split returns the recordings of train, valid or test.
func (s *SpeechCommands) Split(name string) (*Speech, error) {
	recordings, ok := s.splits[name]
	if !ok || len(recordings) == 0 {
		return nil, fmt.Errorf("no recordings in split %q; want train, valid or test, and recordings enough for each", name)
	}
	return &Speech{recordings: recordings, options: s.options, normalization: s.Normalization}, nil
}

// Speech is one split of SpeechCommands, a data.Dataset.
type Speech struct {
	recordings    []recording
	options       Options
	normalization *Normalization
}

// Len returns the number of recordings.
func (s *Speech) Len() int { return len(s.recordings) }

// Size returns the number of samples of a recording: all have the same.
func (s *Speech) Size(int) int { return s.options.Length }

// Labels returns every recording's class.
func (s *Speech) Labels() []int32 {
	labels := make([]int32, len(s.recordings))
	for i, r := range s.recordings {
		labels[i] = int32(r.label)
	}
	return labels
}

// Path returns the file of recording i.
func (s *Speech) Path(i int) string { return s.recordings[i].path }

// Read fills x, of the length of a clip, with recording i as a model reads it.
func (s *Speech) Read(x []float32, i int) error {
	if err := Load(x, s.recordings[i].path, s.options.Rate); err != nil {
		return err
	}
	s.normalization.Apply(x)
	return nil
}

// Collate reads the given recordings.
func (s *Speech) Collate(indices []int) (*data.Batch, error) {
	if err := data.CheckIndices(indices, s.Len()); err != nil {
		return nil, err
	}
	length := s.options.Length
	b := &data.Batch{
		Rows: len(indices), Length: length,
		Samples: make([]float32, len(indices)*length),
		Lengths: make([]int32, len(indices)),
		Labels:  make([]int32, len(indices)),
		IDs:     slices.Clone(indices),
	}
	for row, i := range indices {
		if err := s.Read(b.Samples[row*length:][:length], i); err != nil {
			return nil, err
		}
		b.Lengths[row], b.Labels[row] = int32(length), int32(s.recordings[i].label)
	}
	return b, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
