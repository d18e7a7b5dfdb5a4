package audio

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/torchfile"
	"github.com/mega-go/mega/internal/atomicfile"
)

// A Conversion says what Convert wrote.
type Conversion struct {
	Dir     string         `json:"dir"`
	Classes []string       `json:"classes"`
	Splits  map[string]int `json:"splits"` // recordings of each
}

// Convert reads directories of WAV files (OpenSpeechCommands) and
// writes them as the reference keeps processed recordings, which both it and
// mega train read: TO/processed_data/raw/{train,val,test}_{X,y}.pt, tensors
// [N, 1, L] of normalised samples and [N] of classes, and speech.json, which
// says how a new recording is processed. all puts them where the reference looks
// for all 35 words. tick, if not nil, is called after each recording.
//
// The files are whole or absent, those that are there are replaced only if
// overwrite is set, and memory does not grow with them.
func Convert(from, to string, o Options, all, overwrite bool, tick func(done, total int64)) (*Conversion, error) {
	c := &Conversion{Dir: ProcessedDir(to, all), Splits: map[string]int{}}
	return c, atomicfile.WriteSet(c.Dir, convertedFiles(), overwrite, func(temp string) error { return c.write(from, temp, o, tick) })
}

func (c *Conversion) write(from, to string, o Options, tick func(done, total int64)) error {
	s, err := OpenSpeechCommands(from, o)
	if err != nil {
		return err
	}
	c.Classes = s.Classes()
	splits := map[string]*Speech{}
	var total, done int64
	for name := range splitFiles {
		if splits[name], err = s.Split(name); err != nil {
			return err
		}
		c.Splits[name] = splits[name].Len()
		total += int64(splits[name].Len())
	}
	for name, file := range splitFiles {
		err := writeRecordings(filepath.Join(to, file), splits[name], func() {
			if done++; tick != nil {
				tick(done, total)
			}
		})
		if err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(s.Format(), "", " ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(to, FormatFile), append(text, '\n'))
}

// convertedFiles returns the names of the files of processed recordings.
func convertedFiles() []string {
	names := []string{FormatFile}
	for _, file := range splitFiles {
		names = append(names, file+"_X.pt", file+"_y.pt")
	}
	return names
}

// writeRecordings writes PREFIX_X.pt and PREFIX_y.pt.
func writeRecordings(prefix string, s *Speech, tick func()) error {
	raw := prefix + "_X.raw"
	defer os.Remove(raw)
	if err := writeSamples(raw, s, tick); err != nil {
		return err
	}
	storage, closeRaw, err := torchfile.FileStorage(raw, dtype.F32)
	if err != nil {
		return err
	}
	err = torchfile.Save(prefix+"_X.pt", torchfile.NewTensor(storage, []int{s.Len(), 1, s.Size(0)}))
	if err := errors.Join(err, closeRaw()); err != nil {
		return err
	}
	labels := make([]int64, s.Len())
	for i, l := range s.Labels() {
		labels[i] = int64(l)
	}
	return torchfile.Save(prefix+"_y.pt", torchfile.Of([]int{len(labels)}, labels))
}

// writeSamples writes the samples of all recordings, one after the other.
func writeSamples(path string, s *Speech, tick func()) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	x := make([]float32, s.Size(0))
	for i := range s.Len() {
		if err := s.Read(x, i); err != nil {
			return err
		}
		if _, err := w.Write(dtype.Bytes(x)); err != nil {
			return err
		}
		tick()
	}
	return errors.Join(w.Flush(), f.Close())
}
