package serve

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/audio"
	"github.com/mega-go/mega/data/bytetext"
	"github.com/mega-go/mega/data/plaintext"
	"github.com/mega-go/mega/task/classify"
	"github.com/mega-go/mega/task/language"
	"github.com/mega-go/mega/task/translate"
)

func golden(name string) string { return filepath.Join("..", "testdata", "golden", name) }

// The models of the tests.
var (
	bytesModel = Model{"bytes", golden("lm_enwik8"), filepath.Join(golden("lm_enwik8"), "text")}
	wordsModel = Model{"words", golden("lm_wikitext103"), filepath.Join(golden("lm_wikitext103"), "text")}
	pairsModel = Model{"pairs", golden("mt_wmt"), filepath.Join("..", "data", "pairs", "testdata", "mt")}
	greyModel  = Model{"grey", golden("lra_image"), ""}
)

func openText(t testing.TB, m Model) *language.Model {
	t.Helper()
	l, err := language.Open(m.Path, language.OpenOptions{Data: m.Data})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func openTranslator(t testing.TB) *translate.Translator {
	t.Helper()
	x, err := translate.Open([]string{pairsModel.Path}, translate.OpenOptions{Data: pairsModel.Data})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// smallClassifier returns a classifier of random weights.
func smallClassifier(t testing.TB, arch string, in classify.Inputs, change func(*mega.ClassifierConfig)) *classify.Predictor {
	t.Helper()
	c, err := mega.ClassifierArch(arch)
	if err != nil {
		t.Fatal(err)
	}
	c.EncoderLayers, c.EncoderEmbedDim, c.EncoderHiddenDim, c.EncoderFFNEmbedDim, c.ZDim, c.NDim = 2, 8, 16, 16, 4, 2
	c.NormType, c.AttentionActivationFn = "layernorm", "softmax"
	c.MaxPositions, c.ChunkSize, c.TruncationLength, c.ClassifierOutDim, c.SentenceClassNum, c.ClassifierInDim = 40, 8, 0, 8, 2, 8
	c.VocabSize = len(in.Words) + int(data.NumSpecial)
	change(&c)
	m, err := mega.NewClassifier(c)
	if err != nil {
		t.Fatal(err)
	}
	p, err := classify.NewPredictor(m, in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func textClassifier(t testing.TB) *classify.Predictor {
	in := classify.Inputs{Kind: classify.InputBytes, Classes: []string{"bad", "good"}}
	for id := data.NumSpecial; int(id) < bytetext.Dictionary().Len(); id++ {
		in.Words = append(in.Words, bytetext.Dictionary().Symbol(id))
	}
	return smallClassifier(t, "mega_lra_imdb", in, func(*mega.ClassifierConfig) {})
}

func soundClassifier(t testing.TB) *classify.Predictor {
	in := classify.Inputs{Kind: classify.InputAudio, Classes: []string{"no", "yes"}, Rate: 8000, Length: 32, Normalization: &audio.Normalization{Scale: 1, Mean: []float32{0.25}, Std: []float32{0.5}}}
	return smallClassifier(t, "mega_sc_raw_base", in, func(*mega.ClassifierConfig) {})
}

// randomText returns a language model of bytes with random weights.
func randomText(t testing.TB, change ...func(*mega.LanguageModelConfig)) *language.Model {
	t.Helper()
	c, err := mega.LanguageModelArch("mega_lm_enwik8_base")
	if err != nil {
		t.Fatal(err)
	}
	d := bytetext.Dictionary()
	c.DecoderLayers, c.DecoderEmbedDim, c.DecoderInputDim, c.DecoderHiddenDim, c.DecoderFFNEmbedDim = 2, 16, 16, 32, 32
	c.DecoderZDim, c.DecoderNDim, c.DecoderChunkSize, c.VocabSize = 8, 2, 32, d.Len()
	for _, f := range change {
		f(&c)
	}
	m, err := mega.NewLanguageModel(c)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := plaintext.New(d, true)
	if err != nil {
		t.Fatal(err)
	}
	m.Freeze()
	return &language.Model{Model: m, Codec: codec}
}

// addText puts a language model on a server.
func (s *Server) addText(id string, m *language.Model) {
	l := &loaded{info: modelInfo{ID: id, Kind: "language_modeling"}, text: newTextEngine(m, s.options, s.log)}
	s.slots = append(s.slots, &slot{Model: Model{ID: id, Path: "none"}, created: time.Now(), current: l})
}

// addClassifier puts a classifier on a server.
func (s *Server) addClassifier(id string, p *classify.Predictor) {
	l := &loaded{info: modelInfo{ID: id, Kind: "classification", Classes: p.Inputs.Classes}, classes: newClassifying(p, s.options, s.log)}
	s.slots = append(s.slots, &slot{Model: Model{ID: id, Path: "none"}, created: time.Now(), current: l})
}

// newServer returns a server that is closed with the test.
func newServer(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Reload == 0 {
		o.Reload = -1
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// everything is a server of all kinds of models, which tests share.
var everything = sync.OnceValues(func() (*Server, error) {
	return New(Options{Models: []Model{bytesModel, wordsModel, pairsModel, greyModel}, Reload: -1})
})

func shared(t testing.TB) *Server {
	t.Helper()
	s, err := everything()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask sends a request and returns the answer.
func ask(t testing.TB, s http.Handler, method, path, kind string, body []byte) (status int, answer []byte, header http.Header) {
	t.Helper()
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes(), w.Result().Header
}

// post sends JSON and decodes the answer, which must be good.
func post[T any](t testing.TB, s http.Handler, path, body string) T {
	t.Helper()
	var out T
	status, answer, _ := ask(t, s, "POST", path, "application/json", []byte(body))
	if status != http.StatusOK {
		t.Fatalf("POST %s %s: %d %s", path, clip(body), status, answer)
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Fatalf("POST %s: %v in %s", path, err, answer)
	}
	return out
}

func get[T any](t testing.TB, s http.Handler, path string) T {
	t.Helper()
	var out T
	status, answer, _ := ask(t, s, "GET", path, "", nil)
	if err := json.Unmarshal(answer, &out); err != nil || status != http.StatusOK {
		t.Fatalf("GET %s: %d %s %v", path, status, answer, err)
	}
	return out
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// TestErrorsHaveTheProtocolsShape: status, words and shape of what goes wrong.
func TestErrorsHaveTheProtocolsShape(t *testing.T) {
	s := shared(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string // in the answer
	}{
		{"POST", "/v1/completions", `{"model":"bytes"}`, 400, `{"error":{"code":null,"message":"there is no prompt","param":"prompt","type":"invalid_request_error"}}`},
		{"POST", "/v1/completions", `{"model":"bytes","promt":"x"}`, 400, `did you mean \"prompt\"`},
		{"POST", "/v1/completions", `{`, 400, "cut off"},
		{"POST", "/v1/completions", `[]`, 400, "the value is a list, want an object"},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":{}}`, 400, "prompt is neither"},
		{"POST", "/v1/completions", `{"model":"none","prompt":"x"}`, 404, `"type":"not_found_error"`},
		{"POST", "/v1/completions", `{"prompt":"x"}`, 400, "no model is named; there are: bytes, words"},
		{"POST", "/v1/completions", `{"model":"grey","prompt":"x"}`, 400, "grey is no language model"},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":"x","n":0}`, 400, `"param":"n"`},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":"x","n":65}`, 400, `n is 65, want 1 to 64`},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":"x","best_of":2}`, 400, "best_of"},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":"x","logprobs":21}`, 400, "want 0 to 20"},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":"x","max_tokens":-1}`, 400, "max_tokens is -1, want 0 or more"},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":"x","max_tokens":70000}`, 400, "at most 65536"},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":"x","temperature":-1}`, 400, "temperature is -1"},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":"x","top_p":2}`, 400, "top_p is 2"},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":"x","presence_penalty":1}`, 400, "not to be had"},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":[1,99999]}`, 400, "token 0 is 1"},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":"x","state":"?"}`, 400, "not base64"},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":"x","state":"aGk="}`, 400, `"param":"state"`},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":["a","b"],"state":"aGk="}`, 400, "a state goes with one prompt"},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":"x","stream_options":{}}`, 400, "stream_options"},
		{"POST", "/v1/completions", `{"model":"bytes","prompt":"","echo":true,"logprobs":1,"max_tokens":0}`, 400, "nothing to echo"},
		{"GET", "/v1/completions", ``, 405, `"error":{`},
		{"GET", "/v1/models/none", ``, 404, `"error":{`},
		{"GET", "/nothing", ``, 404, "openapi.json"},
		{"POST", "/tokenize", `{"model":"bytes"}`, 400, "no content"},
		{"POST", "/detokenize", `{"model":"bytes","tokens":[999]}`, 400, "token 0 is 999"},
		{"POST", "/predict", `{"model":"grey","inputs":"a"}`, 400, `{"error":"a text, and the model reads images","error_type":"validation"}`},
		{"POST", "/predict", `{"inputs":{"file":"/etc/passwd"}}`, 400, "the server reads no files"},
		{"POST", "/predict", `{"inputs":{"pixels":[256]}}`, 400, "pixel 0 is 256"},
		{"POST", "/predict", `{"inputs":[]}`, 400, "empty"},
		{"POST", "/predict", `{"inputs":5}`, 400, "neither"},
		{"POST", "/predict", `{}`, 400, "there are no inputs"},
		{"POST", "/predict", `{"inputs":"a","raw_scores":true}`, 400, "raw_scores"},
		{"POST", "/v2/models/none/infer", `{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["a"]}]}`, 404, `{"error":"there is no model`},
		{"POST", "/v2/models/grey/infer", `{"inputs":[]}`, 400, "0 inputs"},
		{"POST", "/v2/models/grey/infer", `{"inputs":[{"name":"pixels","shape":[1,2],"datatype":"UINT8","data":[1,2,3]}]}`, 400, "3 elements"},
		{"POST", "/v2/models/grey/infer", `{"inputs":[{"name":"pixels","shape":[-1],"datatype":"UINT8","data":[1]}]}`, 400, "sizes above 0"},
		{"POST", "/v2/models/grey/infer", `{"inputs":[{"name":"file","shape":[1],"datatype":"BYTES","data":["?"]}]}`, 400, "not base64"},
		{"POST", "/v2/models/bytes/infer", `{"inputs":[{"name":"tokens","shape":[1],"datatype":"INT32","data":[1]}]}`, 400, "want text"},
		{"POST", "/translate", `{"source":"en","target":"de"}`, 400, `{"error":"there is no q`},
		{"POST", "/translate", `{"q":"a","source":"en","target":"fr"}`, 400, "en to de"},
		{"POST", "/translate", `{"q":"a","source":"en","target":"de","format":"html"}`, 400, "markup"},
		{"POST", "/translate", `{"q":"a","source":"en","target":"de","alternatives":50}`, 400, "0 to 49"},
		{"GET", "/runs/none", ``, 404, "no run"},
		{"GET", "/models/none/averages", ``, 404, "no model"},
	} {
		status, answer, _ := ask(t, s, c.method, c.path, "application/json", []byte(c.body))
		if status != c.status || !strings.Contains(string(answer), c.want) {
			t.Errorf("%s %s %s: %d %s, want %d with %s", c.method, c.path, c.body, status, answer, c.status, c.want)
		}
	}
	if status, answer, _ := ask(t, s, "POST", "/predict", "", []byte("x")); status != 415 {
		t.Errorf("without a Content-Type %d %s, want 415", status, answer)
	}
}

// TestLists: what there is, in each protocol's shape.
func TestLists(t *testing.T) {
	s := shared(t)
	models := get[struct{ Models []modelInfo }](t, s, "/models").Models
	if len(models) != 4 || models[0].Unit != "bytes" || models[0].Chunk != 64 || models[1].Unit != "words" || models[2].Source != "en" || models[2].Target != "de" || models[3].Input != "image" {
		t.Errorf("models %+v", models)
	}
	for _, m := range models {
		if m.Parameters < 1000 || m.Layers < 2 || m.EmbedDim < 8 {
			t.Errorf("%+v", m)
		}
	}
	listed := get[struct {
		Object string
		Data   []openAIModel
	}](t, s, "/v1/models")
	if listed.Object != "list" || len(listed.Data) != 4 || listed.Data[0].ID != "bytes" || get[openAIModel](t, s, "/v1/models/grey").Kind != "image_classification" && get[openAIModel](t, s, "/v1/models/grey").Kind != "classification" {
		t.Errorf("%+v", listed)
	}
	layers := get[struct{ Layers []averages }](t, s, "/models/bytes/averages").Layers
	if len(layers) != 2 || len(layers[0].HalfLives) != 32 || len(layers[0].Quantiles) != len(layers[0].Levels) {
		t.Errorf("%d layers, %+v", len(layers), layers)
	}
	if l := get[[]languageInfo](t, s, "/languages"); len(l) != 1 || l[0].Name != "English" || l[0].Targets[0] != "de" {
		t.Errorf("languages %+v", l)
	}
	if h := get[map[string]string](t, s, "/health"); h["status"] != "ok" {
		t.Errorf("health %v", h)
	}
	_, text, header := ask(t, s, "GET", "/metrics", "", nil)
	if !strings.Contains(string(text), "\nmega_requests_total{route=\"GET /health\",status=\"200\"} ") || !strings.HasPrefix(header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("metrics:\n%s", text)
	}
}

// TestKeysAndOrigins: who may use a server.
func TestKeysAndOrigins(t *testing.T) {
	s := newServer(t, Options{APIKeys: []string{"one", "two"}, Origins: []string{"https://a.example"}, Page: []byte("<html>")})
	do := func(method, path string, header ...string) *http.Response {
		r := httptest.NewRequest(method, path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Result()
	}
	for _, c := range []struct {
		path, key string
		status    int
	}{
		{"/models", "", 401}, {"/models", "Bearer three", 401}, {"/models", "one", 401}, {"/models", "Bearer ", 401},
		{"/models", "Bearer one", 200}, {"/models", "Bearer two", 200},
		{"/", "", 200}, {"/health", "", 200}, {"/openapi.json", "", 200}, {"/metrics", "", 401}, {"/v2/health/live", "", 200},
	} {
		if r := do("GET", c.path, "Authorization", c.key); r.StatusCode != c.status {
			t.Errorf("%s with %q: %d, want %d", c.path, c.key, r.StatusCode, c.status)
		}
	}
	if r := do("GET", "/models"); r.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Error("no WWW-Authenticate")
	}
	r := do("OPTIONS", "/v1/completions", "Origin", "https://a.example", "Access-Control-Request-Method", "POST")
	if r.StatusCode != 204 || r.Header.Get("Access-Control-Allow-Origin") != "https://a.example" {
		t.Errorf("preflight: %d %v", r.StatusCode, r.Header)
	}
	if r := do("GET", "/health", "Origin", "https://b.example"); r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("another origin is allowed")
	}
	if r := do("GET", "/health", "Origin", "https://a.example"); r.Header.Get("Vary") != "Origin" {
		t.Error("no Vary")
	}
	if r := do("GET", "/"); !strings.HasPrefix(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("no policy")
	}
	if h := do("GET", "/"); h.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("browsers may guess types")
	}
	closed := newServer(t, Options{})
	r2 := httptest.NewRequest("GET", "/health", nil)
	r2.Header.Set("Origin", "https://a.example")
	w := httptest.NewRecorder()
	closed.ServeHTTP(w, r2)
	if w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("CORS is on without being asked for")
	}
}

// TestLargeBodies: a body beyond the limit is 413 in the protocol's shape.
func TestLargeBodies(t *testing.T) {
	s := newServer(t, Options{Models: []Model{bytesModel}, MaxBody: 1000})
	s.addClassifier("text", textClassifier(t))
	for path, want := range map[string]string{
		"/v1/completions": `{"error":{"code":null,"message":"the body is longer than the 1000 bytes that the server takes"`,
		"/predict":        `"error_type":"validation"`, "/translate": `{"error":"the body`, "/v2/models/text/infer": `{"error":"the body`,
	} {
		status, answer, _ := ask(t, s, "POST", path, "application/json", []byte(`{"prompt":`+quoted(strings.Repeat("x", 2000))+`}`))
		if status != 413 || !strings.Contains(string(answer), want) {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
}

// serveOn runs a server on a port of its own.
func serveOn(t testing.TB, s *Server) *httptest.Server {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return web
}

// atRest fails if goroutines stay that were not there before.
func atRest(t *testing.T, before int) {
	t.Helper()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines, want %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
}

func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mustPost(t testing.TB, web *httptest.Server, path, body string) *http.Response {
	t.Helper()
	r, err := http.Post(web.URL+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestModelNames(t *testing.T) {
	for path, want := range map[string]Model{
		"runs/a": {ID: "a", Path: "runs/a"}, "b/c.safetensors": {ID: "c", Path: "b/c.safetensors"}, "x=y/z.pt": {ID: "x", Path: "y/z.pt"},
		"runs/lr=3": {ID: "lr=3", Path: "runs/lr=3"}, "./d.pt": {ID: "d", Path: "./d.pt"},
	} {
		if got := ModelAt(path); got != want {
			t.Errorf("%s is %+v, want %+v", path, got, want)
		}
	}
	if _, err := New(Options{Models: []Model{bytesModel, bytesModel}}); err == nil || !strings.Contains(err.Error(), "NAME=") {
		t.Errorf("two of a name: %v", err)
	}
	if _, err := New(Options{Models: []Model{ModelAt("no/such")}}); err == nil {
		t.Error("no error for a model that is not there")
	}
}
