package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data/audio"
	"github.com/mega-go/mega/generate"
	megaimage "github.com/mega-go/mega/task/image"

	"github.com/mega-go/mega/task/classify"
)

func wav(t testing.TB, rate int, samples []float32) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := audio.WriteWAV(&b, &audio.Clip{Rate: rate, Samples: samples}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func picture(t testing.TB, width, height int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		img.Set(i%width, i/width, color.RGBA{uint8(i * 7), uint8(i * 3), uint8(i), 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// classifiers is a server of classifiers of each kind of input, and what they are.
func classifiers(t testing.TB) (*Server, map[string]*classify.Predictor) {
	t.Helper()
	all := map[string]*classify.Predictor{"text": textClassifier(t), "sound": soundClassifier(t)}
	grey, err := classify.Open(greyModel.Path, classify.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all["grey"] = grey
	s := newServer(t, Options{})
	for id, p := range all {
		s.addClassifier(id, p)
	}
	return s, all
}

// predicted is what mega classify says of the content of a file.
func predicted(t testing.TB, p *classify.Predictor, contents ...[]byte) classify.Prediction {
	t.Helper()
	e, err := p.Bytes("x", contents...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Predict([]classify.Example{e})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// same fails unless scores are those of a prediction.
func same(t testing.TB, what string, got []classScore, want classify.Prediction) {
	t.Helper()
	if len(got) != len(want.Classes) {
		t.Errorf("%s: %d classes, want %d", what, len(got), len(want.Classes))
		return
	}
	for i, c := range want.Classes {
		if got[i] != (classScore{c.Class, c.Probability}) {
			t.Errorf("%s: %+v, want %+v", what, got[i], c)
		}
	}
}

// TestPredictIsClassify: the same classes and probabilities, by every form of input.
func TestPredictIsClassify(t *testing.T) {
	s, all := classifiers(t)
	samples := make([]float32, 20)
	for i := range samples {
		samples[i] = float32(math.Sin(float64(i)))
	}
	for model, files := range map[string]map[string][]byte{
		"text":  {"text/plain": []byte("a text"), "application/octet-stream": []byte("another")},
		"sound": {"audio/wav": wav(t, 8000, samples)},
		"grey":  {"image/png": picture(t, 16, 16), "image/jpeg": picture(t, 40, 30)},
	} {
		for kind, body := range files {
			status, answer, _ := ask(t, s, "POST", "/predict?model="+model, kind, body)
			var got []classScore
			if err := json.Unmarshal(answer, &got); err != nil || status != 200 {
				t.Fatalf("%s: %d %s", model, status, answer)
			}
			want := predicted(t, all[model], body)
			same(t, model+" "+kind, got, want)
			b64 := base64.StdEncoding.EncodeToString(body)
			v2 := post[kserveAnswer](t, s, "/v2/models/"+model+"/infer", fmt.Sprintf(`{"id":"7","inputs":[{"name":"file","shape":[2],"datatype":"BYTES","data":[%q,%q]}]}`, b64, b64))
			labels, _ := v2.Outputs[0].Data.([]any)
			if v2.ID != "7" || v2.ModelName != model || len(labels) != 2 || labels[1] != want.Class || v2.Outputs[1].Shape[1] != len(want.Classes) {
				t.Errorf("%s by KServe: %+v, want %s", model, v2, want.Class)
			}
		}
	}
	if one := post[[]classScore](t, s, "/predict", `{"model":"text","inputs":"a text","top":1}`); len(one) != 1 || one[0].Label != predicted(t, all["text"], []byte("a text")).Class {
		t.Errorf("the best class is %+v", one)
	}
	for _, list := range []string{`["a text","another"]`, `[["a text"],["another"]]`, `[{"text":"a text"},"another"]`} {
		both := post[[][]classScore](t, s, "/predict", `{"model":"text","inputs":`+list+`}`)
		same(t, list, both[0], predicted(t, all["text"], []byte("a text")))
		same(t, list, both[1], predicted(t, all["text"], []byte("another")))
	}
	numbers, _ := json.Marshal(samples)
	e, err := all["sound"].Record(classify.Record{Samples: samples, Rate: 8000})
	if err != nil {
		t.Fatal(err)
	}
	bySamples, err := all["sound"].Predict([]classify.Example{e})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "samples", post[[]classScore](t, s, "/predict", fmt.Sprintf(`{"model":"sound","inputs":{"samples":%s,"rate":8000}}`, numbers)), bySamples[0])
	v2 := post[kserveAnswer](t, s, "/v2/models/sound/infer", fmt.Sprintf(`{"inputs":[{"name":"samples","shape":[1,20],"datatype":"FP32","data":%s}]}`, numbers))
	if labels, _ := v2.Outputs[0].Data.([]any); labels[0] != predicted(t, all["sound"], wav(t, 8000, samples)).Class {
		t.Errorf("samples by KServe: %+v", v2)
	}
}

// TestTooLong: what is longer than the model reads is refused, or cut and told of.
func TestTooLong(t *testing.T) {
	s, all := classifiers(t)
	long := strings.Repeat("x", 100)
	status, answer, _ := ask(t, s, "POST", "/predict?model=text", "text/plain", []byte(long))
	if status != 413 || !strings.Contains(string(answer), "more than the 40 tokens that the model reads; with truncate it is cut") {
		t.Errorf("%d %s", status, answer)
	}
	for path, body := range map[string]string{"/predict?model=text&truncate=true": long, "/predict": fmt.Sprintf(`{"model":"text","inputs":%q,"truncate":true}`, long)} {
		kind := "application/json"
		if strings.Contains(path, "?") {
			kind = "text/plain"
		}
		status, answer, header := ask(t, s, "POST", path, kind, []byte(body))
		var got []classScore
		if err := json.Unmarshal(answer, &got); err != nil || status != 200 || header.Get("X-Mega-Truncated") != "40" {
			t.Fatalf("%d %s %v", status, answer, header)
		}
		p := *all["text"]
		p.Truncate = true
		same(t, path, got, predicted(t, &p, []byte(long)))
	}
}

// TestPictures: a classifier of colour pictures.
func TestPictures(t *testing.T) {
	c, err := checkpoint.Open(golden("imagenet"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, err := megaimage.NewPredictor(c, "")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, Options{Models: []Model{{ID: "pictures", Path: golden("imagenet")}}})
	file := picture(t, 50, 40)
	pixels, err := p.Bytes(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := p.Classify([][]float32{pixels})
	if err != nil {
		t.Fatal(err)
	}
	status, answer, _ := ask(t, s, "POST", "/predict", "image/png", file)
	var got []classScore
	if err := json.Unmarshal(answer, &got); err != nil || status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	same(t, "a picture", got, want[0])
	if m := get[struct{ Models []modelInfo }](t, s, "/models").Models[0]; m.Input != "picture" || m.Width != 32 {
		t.Errorf("%+v", m)
	}
}

// TestStreamsAnswerAsTheyCome: the answer to a window is there before the next is sent.
func TestStreamsAnswerAsTheyCome(t *testing.T) {
	s, all := classifiers(t)
	web := serveOn(t, s)
	in, out := io.Pipe()
	r, err := http.NewRequest("POST", web.URL+"/models/text/stream?window=10", in)
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan *http.Response, 1)
	go func() {
		r, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
		}
		answers <- r
	}()
	text := "a stream of text, in windows of ten"
	var lines *json.Decoder
	for from := 0; from < len(text); from += 10 {
		if _, err := io.WriteString(out, text[from:min(from+10, len(text))]); err != nil {
			t.Fatal(err)
		}
		if from+10 > len(text) {
			out.Close()
		}
		if lines == nil {
			a := <-answers
			defer a.Body.Close()
			lines = json.NewDecoder(a.Body)
		}
		var got classify.Prediction
		if err := lines.Decode(&got); err != nil {
			t.Fatal(err)
		}
		want := predicted(t, all["text"], []byte(text[from:min(from+10, len(text))]))
		if *got.Offset != int64(from) || got.Class != want.Class || math.Abs(got.Probability-want.Probability) > 1e-6 {
			t.Errorf("at %d %+v, want %+v", from, got, want)
		}
	}
	sound := make([]float32, 70)
	raw := make([]byte, 0, 140)
	for i := range sound {
		v := int16(1000 * i)
		sound[i] = float32(v) / (1 << 15)
		raw = append(raw, byte(v), byte(v>>8))
	}
	for path, body := range map[string][]byte{"stride=16&format=pcm&rate=8000": raw, "stride=16&format=wav": wav(t, 8000, sound)} {
		status, answer, header := ask(t, s, "POST", "/models/sound/stream?"+path, "application/octet-stream", body)
		var want strings.Builder
		err := all["sound"].Stream(context.Background(), bytes.NewReader(wav(t, 8000, sound)), classify.StreamOptions{Stride: 16}, func(p classify.Prediction) error { return p.WriteJSON(&want) })
		if err != nil || status != 200 || header.Get("Content-Type") != "application/x-ndjson" || string(answer) != want.String() {
			t.Errorf("%s: %d %s, want %s", path, status, answer, want.String())
		}
	}
	for path, want := range map[string]string{"/models/text/stream?window=x": "window is", "/models/text/stream?window=99": "windows of 99", "/models/sound/stream?rate=8000": "for format=pcm", "/models/text/stream?format=mp3": "format is", "/models/sound/stream": "error"} {
		if status, answer, _ := ask(t, s, "POST", path, "text/plain", []byte("abc")); status != 400 || !strings.Contains(string(answer), want) {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
}

// TestTranslateIsTranslate: the same words and scores as mega translate, line by line.
func TestTranslateIsTranslate(t *testing.T) {
	s := shared(t)
	x := openTranslator(t)
	x.Searcher.Options = generate.DefaultOptions()
	x.Searcher.Options.NoEarlyStop, x.Searcher.Options.NBest = true, 4
	lines := []string{"the cat sat", "", "a dog", "sat the a dog"}
	found, err := x.Translate(t.Context(), lines, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain := func(i, k int) string {
		if len(found[i].Found) == 0 {
			return ""
		}
		return x.Plain(found[i], found[i].Found[k])
	}
	list, _ := json.Marshal(lines)
	several := post[struct {
		TranslatedText []string
		Alternatives   [][]string
		Scores         [][]float64
	}](t, s, "/translate", fmt.Sprintf(`{"q":%s,"source":"en","target":"de","alternatives":3}`, list))
	for i := range lines {
		if several.TranslatedText[i] != plain(i, 0) {
			t.Errorf("%q: %q, want %q", lines[i], several.TranslatedText[i], plain(i, 0))
		}
		for k, text := range several.Alternatives[i] {
			if text != plain(i, k+1) || math.Abs(several.Scores[i][k+1]-found[i].Found[k+1].Score) > 1e-5 {
				t.Errorf("%q, alternative %d: %q, want %q", lines[i], k, text, plain(i, k+1))
			}
		}
	}
	one := post[struct {
		TranslatedText   string
		DetectedLanguage struct{ Language string }
	}](t, s, "/translate", fmt.Sprintf(`{"q":%s,"source":"auto","target":"de"}`, quoted(strings.Join(lines, "\n"))))
	if want := plain(0, 0) + "\n\n" + plain(2, 0) + "\n" + plain(3, 0); one.TranslatedText != want || one.DetectedLanguage.Language != "en" {
		t.Errorf("%+v, want %q", one, want)
	}
	status, answer, _ := ask(t, s, "POST", "/translate", "application/x-www-form-urlencoded", []byte("q=the+cat+sat&source=en&target=de"))
	if status != 200 || !strings.Contains(string(answer), quoted(plain(0, 0))) {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer, _ := ask(t, s, "POST", "/translate", "application/x-www-form-urlencoded", []byte(`{"q":"the cat"}`)); status != 400 || !strings.Contains(string(answer), "Content-Type: application/json") {
		t.Errorf("JSON as a form: %d %s", status, answer)
	}
	long := strings.Repeat("cat ", 5000)
	if status, answer, _ := ask(t, s, "POST", "/translate", "application/json", []byte(`{"q":["a dog",`+quoted(long)+`],"source":"en","target":"de"}`)); status != 400 || !strings.Contains(string(answer), "tokens") {
		t.Errorf("%d %s", status, answer)
	}
	v2 := post[kserveAnswer](t, s, "/v2/models/pairs/infer", `{"inputs":[{"name":"text","shape":[2],"datatype":"BYTES","data":["a dog","the cat sat"]}]}`)
	if out, _ := v2.Outputs[0].Data.([]any); len(out) != 2 || out[1] != plain(0, 0) {
		t.Errorf("by KServe %+v", v2)
	}
}

// TestKServe: health, what models take, and texts by a language model.
func TestKServe(t *testing.T) {
	s := shared(t)
	if get[map[string]bool](t, s, "/v2/health/ready")["ready"] != true || get[map[string]bool](t, s, "/v2/health/live")["live"] != true {
		t.Error("not ready")
	}
	m := get[struct {
		Name            string
		Inputs, Outputs []kserveOutput
	}](t, s, "/v2/models/grey")
	if m.Name != "grey" || len(m.Inputs) != 2 || m.Inputs[1].Name != "pixels" || m.Outputs[0].Name != "label" {
		t.Errorf("%+v", m)
	}
	if r := get[map[string]any](t, s, "/v2/models/bytes/ready"); r["ready"] != true {
		t.Errorf("%v", r)
	}
	o := generate.DefaultContinueOptions()
	o.MaxLen, o.Seed = 12, 5
	want := alone(t, openText(t, wordsModel), []string{"the", "a cat"}, 1, o)
	got := post[kserveAnswer](t, s, "/v2/models/words/infer", `{"parameters":{"max_tokens":12,"seed":5},"inputs":[{"name":"text","shape":[2],"datatype":"BYTES","data":["the","a cat"]}]}`)
	if out, _ := got.Outputs[0].Data.([]any); out[0] != want[0].Text || out[1] != want[1].Text {
		t.Errorf("%v, want %q, %q", out, want[0].Text, want[1].Text)
	}
}
