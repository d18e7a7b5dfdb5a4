package serve

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/task/language"
)

// alone continues texts as mega generate does.
func alone(t testing.TB, m *language.Model, prompts []string, n int, o generate.ContinueOptions) []generate.Continuation {
	t.Helper()
	var read []*language.Prompt
	for _, text := range prompts {
		p, err := m.Begin()
		if err == nil {
			err = m.Read(t.Context(), p, text, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, p)
	}
	made, err := m.Continue(t.Context(), read, n, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// validText is what JSON makes of bytes.
func validText(text string) string {
	b, _ := json.Marshal(text)
	var out string
	_ = json.Unmarshal(b, &out)
	return out
}

// TestCompletionsAreThoseOfGenerate: token for token, for every way of drawing.
func TestCompletionsAreThoseOfGenerate(t *testing.T) {
	s := newServer(t, Options{Models: []Model{bytesModel, wordsModel}})
	random := randomText(t)
	s.addText("random", random)
	long := strings.Repeat("a prompt that is longer than a chunk. ", 40)
	for id, m := range map[string]*language.Model{"bytes": openText(t, bytesModel), "words": openText(t, wordsModel), "random": random} {
		for _, c := range []struct {
			fields string
			change func(*generate.ContinueOptions)
		}{
			{`"temperature":0`, func(o *generate.ContinueOptions) { o.Temperature = 0 }},
			{`"seed":7`, func(o *generate.ContinueOptions) { o.Seed = 7 }},
			{`"seed":3,"temperature":0.7,"top_p":0.9`, func(o *generate.ContinueOptions) { o.Seed, o.Temperature, o.TopP = 3, 0.7, 0.9 }},
			{`"seed":3,"top_k":5,"min_p":0.01,"repetition_penalty":1.3`, func(o *generate.ContinueOptions) { o.Seed, o.TopK, o.MinP, o.RepetitionPenalty = 3, 5, 0.01, 1.3 }},
			{`"seed":5,"stop":["e","the"]`, func(o *generate.ContinueOptions) { o.Seed, o.Stop = 5, []string{"e", "the"} }},
			{`"seed":5,"stop":"a","min_tokens":3`, func(o *generate.ContinueOptions) { o.Seed, o.Stop, o.MinLen = 5, []string{"a"}, 3 }},
		} {
			o := generate.DefaultContinueOptions()
			o.MaxLen = 40
			c.change(&o)
			prompts := []string{"the", long}
			want := alone(t, m, prompts, 2, o)
			body := fmt.Sprintf(`{"model":%q,"prompt":[%s,%s],"n":2,"max_tokens":40,%s}`, id, quoted(prompts[0]), quoted(prompts[1]), c.fields)
			got := post[completion](t, s, "/v1/completions", body)
			streamed := streamOf(t, s, strings.Replace(body, "{", `{"stream":true,`, 1))
			for i, w := range want {
				reason := finishReasons[w.Reason]
				if g := got.Choices[i]; g.Index != i || g.Text != validText(w.Text) || *g.FinishReason != reason {
					t.Errorf("%s %s, choice %d: %q (%s), want %q (%s)", id, c.fields, i, g.Text, *g.FinishReason, w.Text, reason)
				}
				if g := streamed[i]; g.Text != validText(w.Text) || *g.FinishReason != reason {
					t.Errorf("%s %s, stream %d: %q, want %q", id, c.fields, i, g.Text, w.Text)
				}
			}
			if u := got.Usage; u.PromptTokens == 0 || u.TotalTokens != u.PromptTokens+u.CompletionTokens || u.CompletionTokens > 4*40 {
				t.Errorf("usage %+v", *u)
			}
		}
	}
}

// streamOf returns the choices that a stream of events makes, put together.
func streamOf(t testing.TB, s *Server, body string) []completionChoice {
	t.Helper()
	status, answer, header := ask(t, s, "POST", "/v1/completions", "application/json", []byte(body))
	if status != 200 || header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s %s", status, header.Get("Content-Type"), answer)
	}
	var out []completionChoice
	lines := bufio.NewScanner(bytes.NewReader(answer))
	lines.Buffer(nil, 1<<24)
	done := false
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if text == "[DONE]" {
			done = true
			continue
		}
		var event completion
		if err := json.Unmarshal([]byte(text), &event); err != nil || done {
			t.Fatalf("%v in %s", err, text)
		}
		for _, c := range event.Choices {
			for len(out) <= c.Index {
				out = append(out, completionChoice{Index: len(out)})
			}
			o := &out[c.Index]
			o.Text += c.Text
			if c.FinishReason != nil {
				o.FinishReason = c.FinishReason
			}
			if c.State != "" {
				o.State = c.State
			}
			if l := c.Logprobs; l != nil {
				if o.Logprobs == nil {
					o.Logprobs = &completionLogprobs{}
				}
				p := o.Logprobs
				p.Tokens, p.TokenIDs, p.TokenLogprobs = append(p.Tokens, l.Tokens...), append(p.TokenIDs, l.TokenIDs...), append(p.TokenLogprobs, l.TokenLogprobs...)
				p.TopLogprobs, p.TopTokens, p.TextOffset = append(p.TopLogprobs, l.TopLogprobs...), append(p.TopTokens, l.TopTokens...), append(p.TextOffset, l.TextOffset...)
			}
		}
	}
	if !done {
		t.Errorf("no [DONE] in %s", answer)
	}
	return out
}

// TestEchoIsScore: log-probabilities of a prompt are those of mega score to 1e-5, in
// the legacy shape that evaluation harnesses read.
func TestEchoIsScore(t *testing.T) {
	s := newServer(t, Options{Models: []Model{wordsModel}})
	random := randomText(t)
	s.addText("random", random)
	text := strings.Repeat("The naïve cat — sat on the mat, 12 times.\nAgain and ", 30)
	for id, m := range map[string]*language.Model{"words": openText(t, wordsModel), "random": random} {
		var want []language.TokenScore
		_, err := m.Score(t.Context(), strings.NewReader(text), language.ScoreOptions{}, func(l language.LineScore) error {
			want = append(want, l.Tokens...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"model":%q,"prompt":%s,"echo":true,"max_tokens":0,"logprobs":3}`, id, quoted(text))
		choice := post[completion](t, s, "/v1/completions", body).Choices[0]
		got := choice.Logprobs
		if choice.Text != text || *choice.FinishReason != "length" {
			t.Errorf("%s: the echo is %q", id, choice.Text)
		}
		if len(got.TokenLogprobs) != len(want) {
			t.Fatalf("%s: %d tokens, want %d", id, len(got.TokenLogprobs), len(want))
		}
		runes := []rune(text)
		for i, w := range want {
			if d := math.Abs(got.TokenLogprobs[i] - w.LogProb); d > 1e-5 {
				t.Fatalf("%s, token %d: %.7f, want %.7f", id, i, got.TokenLogprobs[i], w.LogProb)
			}
			if got.TokenIDs[i] != w.ID || len(got.TopTokens[i]) != 3 || got.TopTokens[i][0].Logprob < got.TopTokens[i][2].Logprob {
				t.Fatalf("%s, token %d: %d of %+v, want %d", id, i, got.TokenIDs[i], got.TopTokens[i], w.ID)
			}
			if p, ok := got.TopLogprobs[i][got.Tokens[i]]; !ok || p != got.TokenLogprobs[i] {
				t.Fatalf("%s, token %d: %q is not among %v", id, i, got.Tokens[i], got.TopLogprobs[i])
			}
			// A token stands where it says, but for white space, which words do not keep.
			if token := strings.TrimSpace(got.Tokens[i]); id == "random" && !strings.HasPrefix(token, "bytes:") && !strings.HasPrefix(string(runes[got.TextOffset[i]:]), token) {
				t.Fatalf("token %d, %q, is not at %d", i, token, got.TextOffset[i])
			}
		}
		streamed := streamOf(t, s, strings.Replace(body, "{", `{"stream":true,`, 1))[0]
		if streamed.Text != text || !slices.Equal(streamed.Logprobs.TokenIDs, got.TokenIDs) || !slices.Equal(streamed.Logprobs.TokenLogprobs, got.TokenLogprobs) || !slices.Equal(streamed.Logprobs.TextOffset, got.TextOffset) {
			t.Errorf("%s: a stream differs", id)
		}
		ids, _ := json.Marshal(got.TokenIDs)
		byIDs := post[completion](t, s, "/v1/completions", fmt.Sprintf(`{"model":%q,"prompt":%s,"echo":true,"max_tokens":0,"logprobs":0}`, id, ids)).Choices[0]
		if !slices.Equal(byIDs.Logprobs.TokenLogprobs, got.TokenLogprobs) || byIDs.Logprobs.TopLogprobs[0] != nil {
			t.Errorf("%s: by ids it differs", id)
		}
	}
}

// TestLogprobsAreTheModels: those of tokens that are made are the model's, whatever the
// temperature, and follow on those of the prompt.
func TestLogprobsAreTheModels(t *testing.T) {
	s := shared(t)
	first := post[completion](t, s, "/v1/completions", `{"model":"bytes","prompt":"the cat","max_tokens":100,"logprobs":2,"seed":9,"temperature":2,"echo":true}`).Choices[0]
	if n := len(first.Logprobs.Tokens); n != 107 {
		t.Fatalf("%d tokens", n)
	}
	ids, _ := json.Marshal(first.Logprobs.TokenIDs)
	again := post[completion](t, s, "/v1/completions", fmt.Sprintf(`{"model":"bytes","prompt":%s,"max_tokens":0,"logprobs":2,"echo":true}`, ids)).Choices[0]
	for i, p := range again.Logprobs.TokenLogprobs {
		if math.Abs(p-first.Logprobs.TokenLogprobs[i]) > 2e-5 || again.Logprobs.TextOffset[i] != first.Logprobs.TextOffset[i] {
			t.Fatalf("token %d: %.7f at %d, and echoed %.7f at %d", i, first.Logprobs.TokenLogprobs[i], first.Logprobs.TextOffset[i], p, again.Logprobs.TextOffset[i])
		}
	}
}

// TestPrefixesAreReadOnce: what a prompt begins with is found, whether it was read or
// made, and nothing that is said depends on it.
func TestPrefixesAreReadOnce(t *testing.T) {
	s, fresh := newServer(t, Options{}), newServer(t, Options{StateMemory: -1})
	s.addText("random", randomText(t))
	fresh.addText("random", randomText(t))
	rng := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	for range 3000 {
		text.WriteByte(byte('a' + rng.IntN(26)))
	}
	run := func(s *Server, prompt string, n int) (completionChoice, int) {
		c := post[completion](t, s, "/v1/completions", fmt.Sprintf(`{"prompt":%s,"max_tokens":%d,"min_tokens":%[2]d,"seed":4,"logprobs":0}`, prompt, n))
		return c.Choices[0], c.Usage.PromptTokensDetails.CachedTokens
	}
	whole := text.String()
	made, cached := run(s, quoted(whole), 1200)
	if cached != 0 {
		t.Errorf("%d tokens found before anything was read", cached)
	}
	ids := post[struct{ Tokens []int32 }](t, s, "/tokenize", `{"content":`+quoted(whole)+`}`).Tokens
	longer, err := json.Marshal(append(ids, made.Logprobs.TokenIDs...))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, prompt string
		least        int
	}{
		{"the same", quoted(whole), 3000}, {"its beginning", quoted(whole[:2000]), 1535}, {"another end", quoted(whole[:2500] + "xyz"), 2047},
		{"what was made", string(longer), 4095}, {"another beginning", quoted("X" + whole), 0},
	} {
		got, cached := run(s, c.prompt, 50)
		want, none := run(fresh, c.prompt, 50)
		if cached < c.least || c.least == 0 && cached > 0 || none != 0 {
			t.Errorf("%s: %d tokens found, want %d at least, and %d without memory", c.name, cached, c.least, none)
		}
		if got.Text != want.Text || !near(got.Logprobs.TokenLogprobs, want.Logprobs.TokenLogprobs, 1e-4) {
			t.Errorf("%s: %q, want %q", c.name, got.Text, want.Text)
		}
	}
}

func near(a, b []float64, tolerance float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) <= tolerance })
}

// TestStateGoesOn: a state that the client keeps continues as if there had been no
// break, on another server too.
func TestStateGoesOn(t *testing.T) {
	s := shared(t)
	for _, model := range []string{"bytes", "words"} {
		ask := func(s *Server, fields string) completionChoice {
			return post[completion](t, s, "/v1/completions", fmt.Sprintf(`{"model":%q,"seed":4,%s}`, model, fields)).Choices[0]
		}
		whole := ask(s, `"prompt":"the cat sat on","max_tokens":60,"logprobs":0`)
		first := ask(s, `"prompt":"the cat sat on","max_tokens":25,"return_state":true`)
		again := ask(s, fmt.Sprintf(`"max_tokens":35,"logprobs":0,"state":%q`, first.State))
		if !slices.Equal(again.Logprobs.TokenIDs, whole.Logprobs.TokenIDs[25:]) {
			t.Errorf("%s: %v, want %v", model, again.Logprobs.TokenIDs, whole.Logprobs.TokenIDs[25:])
		}
		read := ask(s, `"prompt":"the cat","max_tokens":0,"return_state":true`)
		rest := ask(s, fmt.Sprintf(`"prompt":" sat on","max_tokens":60,"logprobs":0,"state":%q`, read.State))
		if !slices.Equal(rest.Logprobs.TokenIDs, whole.Logprobs.TokenIDs) {
			t.Errorf("%s: from a state that was read %v, want %v", model, rest.Logprobs.TokenIDs, whole.Logprobs.TokenIDs)
		}
		echoed := ask(s, fmt.Sprintf(`"prompt":" sat on","max_tokens":0,"echo":true,"logprobs":0,"state":%q`, read.State))
		all := ask(s, `"prompt":"the cat sat on","max_tokens":0,"echo":true,"logprobs":0`)
		n := len(all.Logprobs.TokenLogprobs) - len(echoed.Logprobs.TokenLogprobs)
		if n <= 0 || !near(all.Logprobs.TokenLogprobs[n:], echoed.Logprobs.TokenLogprobs, 1e-5) {
			t.Errorf("%s: echoed after a state %v, want the end of %v", model, echoed.Logprobs.TokenLogprobs, all.Logprobs.TokenLogprobs)
		}
		streamed := streamOf(t, s, fmt.Sprintf(`{"model":%q,"prompt":"the cat sat on","max_tokens":25,"seed":4,"return_state":true,"stream":true}`, model))[0]
		if streamed.State != first.State {
			t.Errorf("%s: a stream's state is another", model)
		}
	}
}

// TestManyAtOnce: what one gets does not depend on the others, however they come and
// go.
func TestManyAtOnce(t *testing.T) {
	s := newServer(t, Options{Models: []Model{bytesModel, wordsModel}, Rows: 7})
	var bodies []string
	var want []string
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 40 {
		model := []string{"bytes", "words"}[i%2]
		prompt := strings.Repeat("the cat sat ", 1+rng.IntN(80))[rng.IntN(5):]
		body := fmt.Sprintf(`{"model":%q,"prompt":%s,"max_tokens":%d,"seed":%d,"n":%d}`, model, quoted(prompt), rng.IntN(60), i, 1+rng.IntN(3))
		bodies = append(bodies, body)
		want = append(want, texts(post[completion](t, s, "/v1/completions", body)))
	}
	var all sync.WaitGroup
	for i, body := range bodies {
		all.Go(func() {
			r := httptest.NewRequest("POST", "/v1/completions", strings.NewReader(body))
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			var c completion
			if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil || w.Code != 200 {
				t.Errorf("%d %s", w.Code, w.Body)
			} else if got := texts(c); got != want[i] {
				t.Errorf("%s: %q, alone %q", body, got, want[i])
			}
		})
	}
	all.Wait()
}

func texts(c completion) string {
	var out []string
	for _, choice := range c.Choices {
		out = append(out, choice.Text)
	}
	return strings.Join(out, "|")
}

func TestTokens(t *testing.T) {
	s := newServer(t, Options{Models: []Model{wordsModel}})
	s.addText("random", randomText(t))
	out := post[struct {
		Tokens []int32
		Count  int
	}](t, s, "/tokenize", `{"model":"random","content":"naïve\n"}`)
	if out.Count != 7 || len(out.Tokens) != 7 {
		t.Errorf("%+v", out)
	}
	ids, _ := json.Marshal(out.Tokens)
	if back := post[map[string]string](t, s, "/detokenize", `{"model":"random","tokens":`+string(ids)+`}`); back["content"] != "naïve\n" {
		t.Errorf("back %q", back)
	}
	pieces := post[struct{ Tokens []tokenPiece }](t, s, "/tokenize", `{"model":"words","prompt":"the cat","with_pieces":true}`).Tokens
	if len(pieces) != 2 || pieces[0].Piece != "the" {
		t.Errorf("%+v", pieces)
	}
}
