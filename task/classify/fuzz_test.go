package classify

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"testing"

	"github.com/mega-go/mega"
)

// FuzzRecord reads lines of JSON for models of every kind of input.
func FuzzRecord(f *testing.F) {
	for _, line := range []string{
		`{"id": 7, "text": "a text"}`, `{"text": "one", "pair": "two"}`, `{"tokens": [4, 5, 300]}`,
		`{"pixels": [0, 255, 7]}`, `{"samples": [0.5, -1e30], "rate": 16000}`, `{"samples": [], "rate": 1}`, `{"file": "x"}`, `{} {}`,
	} {
		f.Add([]byte(line))
	}
	pairs, cls := textPredictor(f, "mega_lra_aan", nil), func(c *mega.ClassifierConfig) { c.SenRepType = "cls" }
	predictors := []*Predictor{textPredictor(f, "mega_lra_imdb", cls), pairs, imagePredictor(f), soundPredictor(f)}
	for _, p := range predictors[1:] {
		p.Truncate = true
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ParseRecord(line)
		if err != nil || r.File != "" {
			return // a file has targets of its own
		}
		for _, p := range predictors {
			if e, err := p.Record(r); err == nil {
				checkExample(t, p, e)
			}
		}
	})
}

// FuzzImage reads images of any format that there is.
func FuzzImage(f *testing.F) {
	at := func(x, y int) color.Color { return color.NRGBA{byte(40 * x), byte(40 * y), 7, 255} }
	f.Add(pngOf(f, 6, 6, at))
	f.Add(pngOf(f, 9, 4, at))
	grey, wide := image.NewGray(image.Rect(0, 0, 8, 8)), image.NewYCbCr(image.Rect(0, 0, 17, 5), image.YCbCrSubsampleRatio420)
	for _, img := range []image.Image{grey, wide} {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, nil); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	p := imagePredictor(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, _, err := image.DecodeConfig(bytes.NewReader(b)); err == nil && c.Width*c.Height > 1<<12 {
			return // slow, and nothing of ours before it is scaled
		}
		if e, err := p.image(b); err == nil {
			checkExample(t, p, e)
		}
	})
}

// checkExample checks that a model can read an example.
func checkExample(t *testing.T, p *Predictor, e Example) {
	if n := max(len(e.Tokens), len(e.Values)); n < 1 || n > p.limit || len(e.Pair) > p.limit {
		t.Errorf("%d tokens, %d values and a pair of %d, want 1 to %d", len(e.Tokens), len(e.Values), len(e.Pair), p.limit)
	}
	for _, id := range append(e.Tokens, e.Pair...) {
		if id < 0 || int(id) >= p.dictionary.Len() {
			t.Errorf("token %d of %d", id, p.dictionary.Len())
		}
	}
}
