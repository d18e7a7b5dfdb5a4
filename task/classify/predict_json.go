package classify

import (
	"errors"
	"fmt"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/audio"
	"github.com/mega-go/mega/internal/config"
)

// A Record is an input as a line of JSON: one of its forms, and anything that
// tells it from others.
type Record struct {
	ID      any       `json:"id"`
	Text    *string   `json:"text"`
	Pair    *string   `json:"pair"`    // the second text
	Tokens  []int32   `json:"tokens"`  // ids of the dictionary, </s> not added
	File    string    `json:"file"`    // text, image or WAV
	Pixels  []int     `json:"pixels"`  // 0 to 255, row by row
	Samples []float32 `json:"samples"` // of sound, -1 to 1
	Rate    int       `json:"rate"`    // samples a second; 0 means the model's
	Values  []float32 `json:"values"`  // of a series, step by step, those of all channels side by side
}

// ParseRecord reads a line of JSON; keys that a Record does not have are an
// error.
func ParseRecord(line []byte) (Record, error) {
	var r Record
	if err := config.Strict(line, &r); err != nil {
		return r, fmt.Errorf("%w; want an object with text (and pair), tokens, file, pixels, samples (and rate) or values, and id", err)
	}
	forms := 0
	for _, given := range []bool{r.Text != nil, r.Tokens != nil, r.File != "", r.Pixels != nil, r.Samples != nil, r.Values != nil} {
		if given {
			forms++
		}
	}
	if forms != 1 {
		return r, fmt.Errorf("%d of text, tokens, file, pixels, samples and values, want one", forms)
	}
	return r, nil
}

// Record reads an input from a record.
func (p *Predictor) Record(r Record) (Example, error) {
	wants := map[string]string{InputBytes: "text, tokens or file", InputWords: "text, tokens or file", InputImage: "pixels or file", InputAudio: "samples or file", InputSeries: "values"}[p.Inputs.Kind]
	text := p.Inputs.Kind == InputBytes || p.Inputs.Kind == InputWords
	switch {
	case r.File != "" && r.Pair == nil:
		return p.File(r.File)
	case text && r.Text != nil && r.Pair != nil:
		return p.Bytes("", []byte(*r.Text), []byte(*r.Pair))
	case text && r.Text != nil:
		return p.Bytes("", []byte(*r.Text))
	case text && r.Tokens != nil && r.Pair == nil && !p.Pair():
		return p.tokenRecord(r.Tokens)
	case p.Inputs.Kind == InputImage && r.Pixels != nil:
		return p.pixelRecord(r.Pixels)
	case p.Inputs.Kind == InputAudio && r.Samples != nil:
		return p.sampleRecord(r.Samples, r.Rate)
	case p.Inputs.Kind == InputSeries && r.Values != nil:
		return p.seriesRecord(r.Values)
	}
	return Example{}, fmt.Errorf("the model reads %s; want %s", p.config.InputType, wants)
}

func (p *Predictor) tokenRecord(ids []int32) (Example, error) {
	e := Example{Tokens: ids}
	if len(ids) == 0 {
		return e, errors.New("no tokens")
	}
	for i, id := range ids {
		if id < 0 || int(id) >= p.dictionary.Len() || id == data.Pad {
			return e, fmt.Errorf("token %d is %d, want 0 to %d but not %d, which is padding", i, id, p.dictionary.Len()-1, data.Pad)
		}
	}
	if len(ids) > p.limit {
		if !p.Truncate {
			return e, tooLong("%d tokens, more than the %d that the model reads", len(ids), p.limit)
		}
		e.Tokens, e.Truncated = ids[:p.limit], true
	}
	return e, nil
}

func (p *Predictor) pixelRecord(pixels []int) (Example, error) {
	grey := make([]byte, len(pixels))
	for i, v := range pixels {
		if v < 0 || v > 255 {
			return Example{}, fmt.Errorf("pixel %d is %d, want 0 to 255", i, v)
		}
		grey[i] = byte(v)
	}
	return p.pixels(grey)
}

func (p *Predictor) sampleRecord(samples []float32, rate int) (Example, error) {
	if rate == 0 {
		rate = p.Inputs.Rate
	}
	if err := audio.CheckRate(rate); err != nil {
		return Example{}, err
	}
	return p.sound(audio.Resample(samples, rate, p.Inputs.Rate))
}

func (p *Predictor) seriesRecord(values []float32) (Example, error) {
	if n := p.channels(); len(values) == 0 || len(values)%n != 0 {
		return Example{}, fmt.Errorf("%d values, want %d for each step, and one step at least", len(values), n)
	}
	return p.series(values)
}
