package classify

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/mega-go/mega/data/audio"
)

// openSpeech opens recordings: processed ones if the directory holds them, else
// WAV files.
func openSpeech(d DataConfig) (*Corpus, error) {
	if d.ScDroppedRate != 0 {
		return nil, fmt.Errorf("sc_dropped_rate is %g, want 0: recordings with gaps have a second channel, which the models do not read", d.ScDroppedRate)
	}
	p, err := audio.OpenProcessed(d.Data, d.ScAllClasses)
	if err == nil {
		return speechCorpus(p.Format, p.Names(), func(split string) (Split, error) { return p.Split(split) }), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	s, err := audio.OpenSpeechCommands(d.Data, d.speechOptions())
	if err != nil {
		return nil, err
	}
	return speechCorpus(s.Format(), []string{"train", "valid", "test"}, func(split string) (Split, error) { return s.Split(split) }), nil
}

func speechCorpus(f audio.Format, names []string, open func(split string) (Split, error)) *Corpus {
	in := Inputs{Kind: InputAudio, Classes: f.Classes, Rate: f.Rate, Length: f.Length, Normalization: f.Normalization}
	return &Corpus{Classes: f.Classes, Inputs: in, names: names, open: open}
}

// speechOptions says how recordings are read: by the data set's own lists and
// with one normalisation, or as the reference does.
func (d DataConfig) speechOptions() audio.Options {
	o := audio.Options{
		Classes: d.ScWords, Lists: !d.ScReference, ReferenceNormalization: d.ScReference,
		Rate: d.ScRate, Length: d.ScLength,
	}
	if d.ScAllClasses {
		// The reference divides by the lists where it takes all words.
		o.Classes, o.Lists = audio.SC35, true
	}
	return o
}
