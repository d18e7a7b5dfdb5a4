package classify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/audio"
	"github.com/mega-go/mega/internal/textfile"
)

// small returns a small classifier of an architecture.
func small(t testing.TB, arch string, change func(*mega.ClassifierConfig)) *mega.Classifier {
	t.Helper()
	c, err := mega.ClassifierArch(arch)
	if err != nil {
		t.Fatal(err)
	}
	c.EncoderLayers, c.EncoderEmbedDim, c.EncoderHiddenDim, c.EncoderFFNEmbedDim, c.ZDim, c.NDim = 2, 8, 16, 16, 4, 2
	c.NormType, c.AttentionActivationFn = "layernorm", "softmax"
	c.MaxPositions, c.ChunkSize, c.TruncationLength, c.ClassifierOutDim, c.SentenceClassNum = 40, 8, 0, 8, 2
	c.ClassifierInDim = 8
	if arch == "mega_lra_aan" {
		c.ClassifierInDim = 16
	}
	if change != nil {
		change(&c)
	}
	m, err := mega.NewClassifier(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// byteInputs describes texts of all bytes.
func byteInputs() Inputs {
	d := data.NewDictionary()
	for b := range 256 {
		d.Add(fmt.Sprint(b), 1)
	}
	d.Add(data.CLS, 1)
	return textInputs(d, true, []string{"bad", "good"})
}

func textPredictor(t testing.TB, arch string, change func(*mega.ClassifierConfig)) *Predictor {
	t.Helper()
	in := byteInputs()
	p, err := NewPredictor(small(t, arch, func(c *mega.ClassifierConfig) {
		c.VocabSize = len(in.Words) + int(data.NumSpecial)
		if change != nil {
			change(c)
		}
	}), in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func example(t *testing.T, p *Predictor, texts ...string) Example {
	t.Helper()
	var contents [][]byte
	for _, s := range texts {
		contents = append(contents, []byte(s))
	}
	e, err := p.Bytes(texts[0], contents...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func predict(t *testing.T, p *Predictor, e ...Example) []Prediction {
	t.Helper()
	out, err := p.Predict(e)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// near fails unless two predictions agree to rounding.
func near(t *testing.T, what string, got, want Prediction) {
	t.Helper()
	if got.Class != want.Class || math.Abs(got.Probability-want.Probability) > 2e-6 {
		t.Errorf("%s: %s %.8f, want %s %.8f", what, got.Class, got.Probability, want.Class, want.Probability)
	}
}

// TestBytesAreTheTrainingTokens: a text is read as data.WriteText writes it and
// data.TextDir reads it.
func TestBytesAreTheTrainingTokens(t *testing.T) {
	dir := t.TempDir()
	records := func(yield func(data.Record, error) bool) {
		_ = yield(data.Record{Text: data.ByteWords("good é"), Label: "good"}, nil) &&
			yield(data.Record{Text: data.ByteWords("bad"), Label: "bad"}, nil)
	}
	if err := data.WriteText(dir, data.TextSplit{Name: "train", Records: records, Bytes: true}); err != nil {
		t.Fatal(err)
	}
	texts, err := data.OpenTextDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	split, err := texts.Open("train", data.TextOptions{})
	if err != nil {
		t.Fatal(err)
	}
	in := textInputs(texts.Source, texts.Bytes, texts.Classes())
	m := small(t, "mega_lra_imdb", func(c *mega.ClassifierConfig) { c.VocabSize = texts.Source.Len() })
	p, err := NewPredictor(m, in)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []string{"good é\n", "bad\r\n"} {
		batch, err := split.Collate([]int{i})
		if err != nil {
			t.Fatal(err)
		}
		if e := example(t, p, s); fmt.Sprint(e.Tokens) != fmt.Sprint(batch.Tokens) || e.Unknown != 0 {
			t.Errorf("%q: tokens %v, want %v", s, e.Tokens, batch.Tokens)
		}
		logits, err := m.Logits(*input(batch))
		if err != nil {
			t.Fatal(err)
		}
		z := logits[0]
		want := 1 / (1 + math.Exp(-math.Abs(float64(z[0])-float64(z[1]))))
		got := predict(t, p, example(t, p, s))[0]
		if math.Abs(got.Probability-want) > 1e-12 || got.Class != texts.Classes()[map[bool]int{true: 0, false: 1}[z[0] >= z[1]]] {
			t.Errorf("%q: %+v, want probability %v of logits %v", s, got, want, z)
		}
	}
	if e := example(t, p, "gxyz"); e.Unknown != 3 {
		t.Errorf("%d unknown bytes, want 3", e.Unknown)
	}
}

// TestNeighboursChangeNothing: texts of all lengths around the chunk, of one
// byte and of as many as the model reads, give in one batch what each gives alone.
func TestNeighboursChangeNothing(t *testing.T) {
	for _, c := range []struct{ attention, norm string }{{"softmax", "layernorm"}, {"laplace", "batchnorm"}, {"relu2", "scalenorm"}} {
		p := textPredictor(t, "mega_lra_imdb", func(m *mega.ClassifierConfig) { m.AttentionActivationFn, m.NormType = c.attention, c.norm })
		var examples []Example
		for _, n := range []int{1, 2, 6, 7, 8, 9, 15, 16, 23, 39} {
			examples = append(examples, example(t, p, strings.Repeat("abcdefgh", 5)[:n]))
		}
		together := predict(t, p, examples...)
		for i, e := range examples {
			if alone := predict(t, p, e)[0]; !reflect.DeepEqual(together[i], alone) {
				t.Errorf("%s, %d bytes: %+v, alone %+v", c.attention, len(e.Tokens)-1, together[i], alone)
			}
		}
	}
}

func TestTooLongIsAnErrorOrCut(t *testing.T) {
	p := textPredictor(t, "mega_lra_imdb", nil)
	long := strings.Repeat("x", 41)
	if _, err := p.Bytes("a.txt", []byte(long)); err == nil || !strings.Contains(err.Error(), "a.txt: more than the 40 tokens") || !errors.As(err, new(*TooLongError)) {
		t.Errorf("a text that is too long: %v", err)
	}
	p.Truncate = true
	e := example(t, p, long)
	if len(e.Tokens) != 40 || !e.Truncated || e.Tokens[39] == data.EOS {
		t.Errorf("%d tokens, cut %v, the last %d; want 40 as training cuts them, without </s>", len(e.Tokens), e.Truncated, e.Tokens[39])
	}
	if e := example(t, p, long[:39]); e.Truncated || len(e.Tokens) != 40 {
		t.Errorf("a text that fits is cut: %d tokens", len(e.Tokens))
	}
}

func TestPairs(t *testing.T) {
	p := textPredictor(t, "mega_lra_aan", nil)
	e := example(t, p, "first", "the second")
	a, b := predict(t, p, e)[0], predict(t, p, example(t, p, "the second", "first"))[0]
	if a.Length != 17 || a.Probability == b.Probability {
		t.Errorf("a pair of %d tokens, %v and turned about %v", a.Length, a.Probability, b.Probability)
	}
	if _, err := p.Bytes("x", []byte("one")); err == nil || !strings.Contains(err.Error(), "pairs") {
		t.Errorf("one text for a model of pairs: %v", err)
	}
}

// pngOf returns an image whose pixels are f's.
func pngOf(t testing.TB, w, h int, f func(x, y int) color.Color) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, f(x, y))
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func imagePredictor(t testing.TB) *Predictor {
	t.Helper()
	in := Inputs{Kind: InputImage, Classes: []string{"cat", "dog"}, PixelNormalization: [2]float64{0.48, 0.24}}
	in.setPixels(36)
	p, err := NewPredictor(small(t, "mega_lra_cifar10", nil), in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestImages(t *testing.T) {
	p := imagePredictor(t)
	read := func(b []byte) Example {
		t.Helper()
		e, err := p.Bytes("x.png", b)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := read(pngOf(t, 6, 6, func(x, y int) color.Color { return color.NRGBA{byte(40 * x), byte(40 * y), 7, 255} }))
	for i, v := range e.Values {
		grey := data.Grey(byte(40*(i%6)), byte(40*(i/6)), 7)
		if want := (float32(grey)/255 - 0.48) / 0.24; v != want {
			t.Fatalf("pixel %d is %v, want %v", i, v, want)
		}
	}
	// A wide image of the same halves: its middle is cut out, so both are alike.
	wide := read(pngOf(t, 48, 24, func(x, y int) color.Color {
		return color.NRGBA{byte(10 * (x - 12)), byte(10 * (x - 12)), byte(10 * (x - 12)), 255}
	}))
	if len(wide.Values) != 36 {
		t.Fatalf("%d pixels, want 36", len(wide.Values))
	}
	for x := range 6 { // a pixel is the mean of four columns
		want := (float64(10*(4*x)+15)/255 - 0.48) / 0.24
		if got := float64(wide.Values[18+x]); math.Abs(got-want) > 0.15 {
			t.Errorf("column %d of the scaled image is %.3f, want about %.3f", x, got, want)
		}
	}
	for want, b := range map[string][]byte{
		"not a JPEG, PNG, WebP or GIF": []byte("PK"),
		"broken GIF":                   []byte("GIF89a"),
		"broken PNG":                   pngOf(t, 6, 6, func(int, int) color.Color { return color.White })[:60],
	} {
		if _, err := p.Bytes("x", b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func soundPredictor(t testing.TB) *Predictor {
	t.Helper()
	in := Inputs{
		Kind: InputAudio, Classes: []string{"on", "off"}, Rate: 8000, Length: 32,
		Normalization: &audio.Normalization{Scale: 1, Mean: []float32{0.25}, Std: []float32{0.5}},
	}
	p, err := NewPredictor(small(t, "mega_sc_raw_base", nil), in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wavOf(t testing.TB, rate int, samples []float32) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := audio.WriteWAV(&b, &audio.Clip{Rate: rate, Samples: samples}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSound(t *testing.T) {
	p := soundPredictor(t)
	e, err := p.Bytes("a.wav", wavOf(t, 8000, []float32{0.5, -0.5}))
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Values) != 32 || e.Values[0] != 0.5 || e.Values[1] != -1.5 || e.Values[31] != -0.5 {
		t.Errorf("%d samples, %v", len(e.Values), e.Values)
	}
	if e, err = p.Bytes("a.wav", wavOf(t, 16000, make([]float32, 64))); err != nil || len(e.Values) != 32 {
		t.Errorf("twice the rate: %d samples, %v", len(e.Values), err)
	}
	if _, err = p.Bytes("a.wav", wavOf(t, 8000, make([]float32, 33))); !errors.As(err, new(*TooLongError)) {
		t.Errorf("too long: %v", err)
	}
	p.Truncate = true
	if e, err = p.Bytes("a.wav", wavOf(t, 8000, make([]float32, 33))); err != nil || !e.Truncated {
		t.Errorf("cut: %v, %v", e.Truncated, err)
	}
}

// stream collects the predictions of a stream.
func stream(t *testing.T, p *Predictor, r io.Reader, o StreamOptions) []Prediction {
	t.Helper()
	var out []Prediction
	err := p.Stream(context.Background(), r, o, func(r Prediction) error { out = append(out, r); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestStreamsAreWindows: each window gives what it gives alone.
func TestStreamsAreWindows(t *testing.T) {
	p := textPredictor(t, "mega_lra_imdb", nil)
	s := strings.Repeat("a long text, ", 8) // 104 bytes
	for _, c := range []struct{ window, stride, last int }{{0, 0, 78}, {20, 20, 100}, {20, 7, 84}, {10, 25, 100}, {39, 13, 65}} {
		got := stream(t, p, strings.NewReader(s), StreamOptions{Window: c.window, Stride: c.stride})
		window, stride := c.window, c.stride
		if window == 0 {
			window, stride = 39, 39
		}
		for i, r := range got {
			at := i * stride
			if *r.Offset != int64(at) {
				t.Fatalf("window %d begins at %d, want %d", i, *r.Offset, at)
			}
			near(t, fmt.Sprintf("windows of %d every %d, at %d", window, stride, at), r, predict(t, p, example(t, p, s[at:min(at+window, len(s))]))[0])
		}
		if n := len(got); n == 0 || *got[n-1].Offset != int64(c.last) {
			t.Errorf("windows of %d every %d: %d of them, want the last at %d", window, stride, n, c.last)
		}
	}
	sound := soundPredictor(t)
	samples := make([]float32, 70)
	for i := range samples {
		samples[i] = float32(math.Sin(float64(i)))
	}
	got := stream(t, sound, bytes.NewReader(wavOf(t, 8000, samples)), StreamOptions{Stride: 16})
	for i, r := range got {
		e, err := sound.Bytes("", wavOf(t, 8000, samples[16*i:min(16*i+32, 70)]))
		if err != nil {
			t.Fatal(err)
		}
		near(t, fmt.Sprintf("sound at %d", 16*i), r, predict(t, sound, e)[0])
	}
	if len(got) != 4 {
		t.Errorf("%d windows of sound, want 4", len(got))
	}
	images := imagePredictor(t)
	if got := stream(t, images, bytes.NewReader(make([]byte, 90)), StreamOptions{}); len(got) != 3 || got[0].Length != 36 || got[2].Length != 18 {
		t.Errorf("%d windows of pixels", len(got))
	}
	for want, err := range map[string]error{
		"the stream is empty": p.Stream(context.Background(), strings.NewReader(""), StreamOptions{}, nil),
		"want 1 to 39":        p.Stream(context.Background(), strings.NewReader("x"), StreamOptions{Window: 40}, nil),
		"raw samples":         p.Stream(context.Background(), strings.NewReader("x"), StreamOptions{PCM: &audio.PCM{Rate: 8000}}, nil),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestStreamNeedsNoMoreMemory: a stream of 1 MB allocates no more at once than a
// short one.
func TestStreamNeedsNoMoreMemory(t *testing.T) {
	p := textPredictor(t, "mega_lra_imdb", nil)
	before, largest := heap(), uint64(0)
	windows := 0
	err := p.Stream(context.Background(), io.LimitReader(repeated{}, 1<<20), StreamOptions{Stride: 40000}, func(Prediction) error {
		if windows++; windows > 2 {
			largest = max(largest, heap())
		}
		return nil
	})
	if err != nil || windows != 27 {
		t.Errorf("%d windows, want 27: %v", windows, err)
	}
	if largest > before+16<<20 {
		t.Errorf("the heap holds %d MB, want less than 16 beside the %d from before", largest>>20, before>>20)
	}
}

// heap returns how much memory is in use once the rest has been collected.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

type repeated struct{}

func (repeated) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(rand.N(256))
	}
	return len(b), nil
}

func TestWordStream(t *testing.T) {
	in := listOpsInputs()
	p, err := NewPredictor(small(t, "mega_lra_listop", func(c *mega.ClassifierConfig) {
		c.VocabSize, c.SentenceClassNum = len(in.Words)+int(data.NumSpecial), 10
	}), in)
	if err != nil {
		t.Fatal(err)
	}
	want := predict(t, p, example(t, p, "[MAX 3 [MIN 7 2 ] ]"))[0]
	if want.Length != 8 || want.Unknown != 0 {
		t.Errorf("%d tokens, %d unknown", want.Length, want.Unknown)
	}
	near(t, "parentheses", predict(t, p, example(t, p, "( ( ( [MAX 3 ) ( ( ( [MIN 7 ) 2 ) ] ) ) ] )"))[0], want)
	got := stream(t, p, strings.NewReader("( ( ( [MAX 3 )\n( ( ( [MIN 7 ) 2 ) ] ) ) ] )\n"), StreamOptions{})
	near(t, "a stream", got[0], want)
	if e := example(t, p, "[MAX x"); e.Unknown != 1 {
		t.Errorf("%d unknown words, want 1", e.Unknown)
	}
}

func TestRecords(t *testing.T) {
	p := textPredictor(t, "mega_lra_imdb", nil)
	lines := `{"id": 7, "text": "good"}

{"id": "b", "tokens": [10, 11, 2]}
`
	var got []Prediction
	s := Sources{Paths: []string{"-"}, JSONL: true, Stdin: strings.NewReader(lines), Texts: []string{"good"}}
	if err := p.PredictAll(context.Background(), s, 2, func(r Prediction) error { got = append(got, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[1].ID != 7.0 || got[2].ID != "b" || got[2].Input != "-:3" {
		t.Fatalf("%+v", got)
	}
	near(t, "a record", got[1], got[0])
	var out bytes.Buffer
	got[1].Top(1)
	if err := got[1].WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var back Prediction
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || len(back.Classes) != 1 || back.Class != got[1].Class {
		t.Errorf("%s: %v", out.String(), err)
	}
	for want, line := range map[string]string{
		`unknown key "txt", did you mean "text"?`:   `{"txt": "x"}`,
		"the value is a list, want an object; want": `[1]`,
		"text is a number, want a string; want":     `{"text": 5}`,
		"0 of text":                                 `{"id": 1}`,
		"2 of text":                                 `{"text": "x", "tokens": [4]}`,
		"the model reads text; want":                `{"pixels": [1]}`,
		"token 0 is 1, want":                        `{"tokens": [1]}`,
		"token 1 is 900":                            `{"tokens": [4, 900]}`,
		"within a value: is it cut off?":            `{"text": "x"`,
		"more than one JSON value":                  `{"text": "x"} {}`,
		"the text is empty":                         `{"text": ""}`,
		"no such file":                              `{"file": "does-not-exist"}`,
	} {
		err := textfile.EachLine(strings.NewReader(line), "x", func(b []byte) error {
			r, err := ParseRecord(b)
			if err == nil {
				_, err = p.Record(r)
			}
			return err
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", line, err, want)
		}
	}
	images, sound := imagePredictor(t), soundPredictor(t)
	if _, err := images.Record(Record{Pixels: []int{256}}); err == nil || !strings.Contains(err.Error(), "pixel 0 is 256") {
		t.Error(err)
	}
	if _, err := sound.Record(Record{Samples: []float32{1}, Rate: 5}); err == nil || !strings.Contains(err.Error(), "5 samples a second") {
		t.Error(err)
	}
	if e, err := sound.Record(Record{Samples: []float32{0.5}}); err != nil || e.Values[0] != 0.5 {
		t.Errorf("%v, %v", e.Values, err)
	}
}

func TestTextIsALineOfColumns(t *testing.T) {
	var out strings.Builder
	p := Prediction{ID: "a\tb\nc\r", Classes: []ClassGuess{{"x\ty\n", 1}}}
	if err := p.WriteText(&out); err != nil || out.String() != "a\\tb\\nc\\r\tx\\ty\\n 1.0000\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
