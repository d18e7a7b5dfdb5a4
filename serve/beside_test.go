package serve

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestAnswersBesideOthers: no digit of an answer of any kind of model depends on what
// is asked beside it: texts, log-probabilities, scores and probabilities.
func TestAnswersBesideOthers(t *testing.T) {
	s := newServer(t, Options{Rows: 50, Queue: 1 << 10, Models: []Model{bytesModel, wordsModel, pairsModel, greyModel, {ID: "pictures", Path: golden("imagenet")}}})
	rng := rand.New(rand.NewPCG(11, 12))
	type request struct{ path, kind, body string }
	var requests []request
	for i := range 60 {
		prompt := strings.Repeat("the cat sat ", 1+rng.IntN(70))[rng.IntN(5):]
		drawn := []string{`"temperature":0`, `"top_p":0.9`, `"repetition_penalty":1.2`}[i%3]
		body := fmt.Sprintf(`{"model":%q,"prompt":%s,"max_tokens":%d,"seed":%d,"logprobs":3,%s}`, []string{"bytes", "words"}[i%2], quoted(prompt), 5+rng.IntN(60), i, drawn)
		requests = append(requests, request{"/v1/completions", "application/json", body})
		words := strings.Repeat("cat dog the sat a ", 1+rng.IntN(4))[:2+rng.IntN(16)]
		body = fmt.Sprintf(`{"q":%s,"source":"en","target":"de","alternatives":%d}`, quoted(words), i%4)
		requests = append(requests, request{"/translate", "application/json", body})
		file := string(picture(t, 8+i%40, 8+i%17))
		requests = append(requests, request{"/predict?model=" + []string{"grey", "pictures"}[i%2], "image/png", file})
	}
	answer := func(r request) string {
		request := httptest.NewRequest("POST", r.path, strings.NewReader(r.body))
		request.Header.Set("Content-Type", r.kind)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, request)
		if w.Code != 200 {
			t.Errorf("%s %s: %d %s", r.path, clip(r.body), w.Code, w.Body)
		}
		var c struct{ Choices json.RawMessage }
		if err := json.Unmarshal(w.Body.Bytes(), &c); err == nil && c.Choices != nil {
			return string(c.Choices) // the rest has a name and a time
		}
		return w.Body.String()
	}
	var alone []string
	for _, r := range requests {
		alone = append(alone, answer(r))
	}
	var all sync.WaitGroup
	for i, r := range requests {
		all.Go(func() {
			if got := answer(r); got != alone[i] {
				t.Errorf("%s %s: %s, alone %s", r.path, clip(r.body), got, alone[i])
			}
		})
	}
	all.Wait()
}
