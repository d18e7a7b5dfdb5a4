package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	bodies    = flag.Int("bodies", 1500, "broken bodies that TestBrokenBodies sends")
	bodySeed  = flag.Uint64("body-seed", 1, "draws other bodies")
	bodySlow  = flag.Duration("body-slow", 10*time.Second, "how long an answer may take")
	bodySends = flag.Int("body-senders", 4, "bodies under way at once")
)

// A postRoute is a route with bodies that it takes.
type postRoute struct {
	path, kind string
	bodies     []string
}

// postRoutes returns every route that takes a body, of a server with every kind of
// model.
func postRoutes(t testing.TB) (*Server, []postRoute) {
	t.Helper()
	s := newServer(t, Options{MaxTokens: 8, MaxTime: time.Minute, MaxBody: 1 << 20, Queue: 1 << 12, Models: []Model{pairsModel, greyModel, {ID: "pictures", Path: golden("imagenet")}}})
	s.addText("random", randomText(t))
	s.addClassifier("text", textClassifier(t))
	s.addClassifier("sound", soundClassifier(t))
	state := post[completion](t, s, "/v1/completions", `{"prompt":"a","max_tokens":0,"return_state":true}`).Choices[0].State
	png, recording := picture(t, 16, 16), wav(t, 8000, []float32{0, 0.5, -0.5, 1})
	file := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	v2 := func(name, shape, datatype, data string) string {
		return fmt.Sprintf(`{"id":"1","inputs":[{"name":%q,"shape":%s,"datatype":%q,"data":%s,"parameters":{"a":1}}],"outputs":[{"name":"x"}],"parameters":{"max_tokens":2,"temperature":0.5,"top_p":0.9,"top_k":3,"seed":1,"truncate":true,"beam":2}}`, name, shape, datatype, data)
	}
	const asJSON = "application/json"
	routes := []postRoute{
		{"/v1/completions", asJSON, []string{
			`{"model":"random","prompt":["a",""],"max_tokens":3,"n":2,"logprobs":2,"echo":true,"stop":["a"],"seed":1,"user":"x"}`,
			`{"prompt":[[4],[5,6]],"max_tokens":2,"stream":true,"stream_options":{"include_usage":true},"temperature":0.3,"top_p":0.5,"top_k":4,"min_p":0.1,"min_tokens":1,"repetition_penalty":1.5}`,
			`{"prompt":[4,5,6],"max_tokens":0,"logprobs":0,"echo":true,"best_of":1,"presence_penalty":0,"frequency_penalty":0,"logit_bias":{},"suffix":""}`,
			fmt.Sprintf(`{"prompt":"b","max_tokens":1,"state":%q,"return_state":true}`, state),
		}},
		{"/tokenize", asJSON, []string{`{"model":"random","content":"naïve\u0000","with_pieces":true}`, `{"prompt":"a","add_special":false}`}},
		{"/detokenize", asJSON, []string{`{"model":"random","tokens":[4,5,60]}`}},
		{"/predict", asJSON, []string{
			`{"model":"text","inputs":[["a"],{"text":"b"},"c"],"truncate":true,"top":1,"raw_scores":false,"truncation_direction":"right"}`,
			`{"model":"text","inputs":{"tokens":[4,5,6],"id":7}}`, `{"model":"grey","inputs":[{"pixels":[1,2,3,255]}]}`, `{"model":"sound","inputs":{"samples":[0.5,-0.5],"rate":8000}}`,
		}},
		{"/predict?model=text&top=1&truncate=true", "text/plain", []string{"a text"}},
		{"/predict?model=grey", "image/png", []string{string(png)}},
		{"/predict?model=pictures", "image/png", []string{string(png)}},
		{"/predict?model=sound", "audio/wav", []string{string(recording)}},
		{"/models/text/stream?window=10&stride=5", "text/plain", []string{"a text in windows of ten"}},
		{"/models/sound/stream", "audio/wav", []string{string(wav(t, 8000, make([]float32, 70)))}},
		{"/models/sound/stream?format=pcm&rate=8000&channels=2", "audio/l16", []string{"0123456789"}},
		{"/translate", asJSON, []string{`{"q":["the cat","a\ndog"],"source":"en","target":"de","alternatives":2,"format":"text","api_key":"","model":"pairs","beam":2}`, `{"q":"the cat sat","source":"auto","target":"de"}`}},
		{"/translate", "application/x-www-form-urlencoded", []string{"q=the+cat&source=en&target=de&alternatives=1"}},
		{"/v2/models/random/infer", asJSON, []string{v2("text", "[2]", "BYTES", `["a","b"]`)}},
		{"/v2/models/pairs/infer", asJSON, []string{v2("text", "[2]", "BYTES", `["the cat","a dog"]`)}},
		{"/v2/models/text/infer", asJSON, []string{v2("text", "[1]", "BYTES", `["a"]`), v2("tokens", "[1,2]", "INT32", `[[4,5]]`)}},
		{"/v2/models/grey/infer", asJSON, []string{v2("pixels", "[1,4]", "UINT8", `[1,2,3,4]`), v2("file", "[1]", "BYTES", `["`+file(png)+`"]`)}},
		{"/v2/models/sound/infer", asJSON, []string{v2("samples", "[1,2]", "FP32", `[0.5,0.25]`), v2("file", "[1]", "BYTES", `["`+file(recording)+`"]`)}},
		{"/v2/models/pictures/infer", asJSON, []string{v2("file", "[1]", "BYTES", `["`+file(png)+`"]`)}},
	}
	return s, routes
}

// TestBrokenBodies: no body brings a server down, is answered by 5xx or by what is no
// JSON, or hangs. Bodies are those that a route takes, broken: see docs/testing.md for
// a million of them.
func TestBrokenBodies(t *testing.T) {
	s, routes := postRoutes(t)
	for _, r := range routes { // each has one that is in order
		status, answer, _ := ask(t, s, "POST", r.path, r.kind, []byte(r.bodies[0]))
		if status != 200 {
			t.Errorf("%s, whole: %d %s", r.path, status, answer)
		}
	}
	covered := map[string]bool{}
	for _, r := range routes {
		_, pattern := s.mux.Handler(httptest.NewRequest("POST", r.path, nil))
		covered[pattern] = true
	}
	for _, route := range s.routes {
		if strings.HasPrefix(route, "POST ") && !covered[route] {
			t.Errorf("%s gets no body", route)
		}
	}
	var mu sync.Mutex
	counts := map[int]int{}
	var all sync.WaitGroup
	for sender := range *bodySends {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(*bodySeed, uint64(sender)))
			for range *bodies / *bodySends {
				r := routes[rng.IntN(len(routes))]
				body := broken(rng, r.bodies[rng.IntN(len(r.bodies))])
				start := time.Now()
				status := sendBroken(t, s, r, body)
				if took := time.Since(start); took > *bodySlow {
					t.Errorf("%s %q took %v", r.path, body, took)
				}
				mu.Lock()
				counts[status]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%d: %d", status, counts[status])
	}
}

// sendBroken sends a body and holds the answer against what a server may say.
func sendBroken(t *testing.T, s *Server, r postRoute, body []byte) (status int) {
	defer func() {
		if err := recover(); err != nil {
			t.Errorf("%s %q panics: %v", r.path, body, err)
		}
	}()
	request := httptest.NewRequest("POST", r.path, bytes.NewReader(body))
	request.Header.Set("Content-Type", r.kind)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, request)
	switch kind := w.Header().Get("Content-Type"); {
	case w.Code >= http.StatusInternalServerError:
		t.Errorf("%s %q: %d %s", r.path, body, w.Code, w.Body)
	case kind == "application/json" && !json.Valid(w.Body.Bytes()):
		t.Errorf("%s %q: no JSON: %s", r.path, body, w.Body)
	case !slices.Contains([]string{"application/json", "application/x-ndjson", "text/event-stream"}, kind):
		t.Errorf("%s %q: an answer of type %q", r.path, body, kind)
	}
	return w.Code
}

// broken breaks a body a few times: its bytes, or if it is JSON now and then its
// structure.
func broken(rng *rand.Rand, body string) []byte {
	b := []byte(body)
	var value any
	if json.Unmarshal(b, &value) == nil && rng.IntN(2) == 0 {
		for range 1 + rng.IntN(3) {
			value = brokenValue(rng, value)
		}
		if out, err := json.Marshal(value); err == nil {
			b = out
		}
		if rng.IntN(2) == 0 {
			return b
		}
	}
	for range 1 + rng.IntN(4) {
		b = brokenBytes(rng, b)
	}
	return b
}

// oddNumbers and oddTexts are what code may not expect.
var (
	oddNumbers = []string{"0", "-1", "1e400", "-1e400", "1e-400", "0.5", "-0", "2147483648", "-2147483649", "9223372036854775808", "1e19", "99999999999999999999", "00", "1.", ".5", "0x1", "NaN"}
	oddTexts   = []string{"", "null", "true", `"`, `\`, `"\ud800"`, "\x00", "\xff\xfe", `\u`, "{}", "[]", ",", ":", "[[", "]]", "é", "\u2028", "𝔸", "  ", strings.Repeat("[", 2000), strings.Repeat(`{"a":`, 2000), strings.Repeat("a", 3000)}
)

// brokenBytes changes bytes somewhere.
func brokenBytes(rng *rand.Rand, b []byte) []byte {
	if len(b) == 0 {
		return []byte(oddTexts[rng.IntN(len(oddTexts))])
	}
	from := rng.IntN(len(b))
	to := from + rng.IntN(min(len(b)-from, 40)+1)
	put := func(what string) []byte { return slices.Concat(b[:from], []byte(what), b[to:]) }
	switch rng.IntN(8) {
	case 0:
		return b[:from]
	case 1:
		return put("")
	case 2:
		return put(string(b[from:to]) + string(b[from:to]))
	case 3:
		return put(oddTexts[rng.IntN(len(oddTexts))])
	case 4: // the number here, if there is one
		for to = from; to < len(b) && strings.IndexByte("0123456789.-+eE", b[to]) >= 0; to++ {
		}
		return put(oddNumbers[rng.IntN(len(oddNumbers))])
	case 5:
		b = slices.Clone(b)
		b[from] ^= 1 << rng.IntN(8)
		return b
	case 6:
		b = slices.Clone(b)
		b[from] = byte(rng.IntN(256))
		return b
	}
	other := rng.IntN(len(b))
	return slices.Concat(b[:from], b[other:])
}

// brokenValue changes something in a JSON value.
func brokenValue(rng *rand.Rand, v any) any {
	if rng.IntN(4) == 0 {
		return oddValue(rng)
	}
	switch v := v.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		if len(keys) == 0 {
			return oddValue(rng)
		}
		key := keys[rng.IntN(len(keys))]
		switch rng.IntN(6) {
		case 0:
			delete(v, key)
		case 1:
			v[key+"x"] = v[key]
			delete(v, key)
		case 2:
			v[key] = v[keys[rng.IntN(len(keys))]]
		default:
			v[key] = brokenValue(rng, v[key])
		}
		return v
	case []any:
		if len(v) == 0 || rng.IntN(5) == 0 {
			return append(v, oddValue(rng))
		}
		i := rng.IntN(len(v))
		switch rng.IntN(4) {
		case 0:
			return slices.Delete(v, i, i+1)
		case 1:
			return slices.Concat(v, v, v)
		}
		v[i] = brokenValue(rng, v[i])
		return v
	case string:
		if rng.IntN(2) == 0 {
			return string(brokenBytes(rng, []byte(v)))
		}
	case float64:
		if rng.IntN(2) == 0 {
			return json.RawMessage(oddNumbers[rng.IntN(12)]) // those that are JSON
		}
	}
	return oddValue(rng)
}

// oddValue returns a value of any kind.
func oddValue(rng *rand.Rand) any {
	switch rng.IntN(7) {
	case 0:
		return nil
	case 1:
		return rng.IntN(2) == 0
	case 2:
		return json.RawMessage(oddNumbers[rng.IntN(12)])
	case 3:
		return oddTexts[rng.IntN(len(oddTexts))]
	case 4:
		return []any{}
	case 5:
		return map[string]any{"a": []any{1.5, "b", nil}}
	}
	return []any{[]any{[]any{}}, 4, -1}
}
