// Package client_test uses package serve as its users' programs do: with OpenAI's Go
// client, and by its own description. It is a module of its own, so that nobody who uses
// mega downloads what it needs.
package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"

	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/serve"
	"github.com/mega-go/mega/task/language"
)

func golden(name string) string { return filepath.Join("..", "..", "testdata", "golden", name) }

var words = serve.Model{ID: "words", Path: golden("lm_wikitext103"), Data: filepath.Join(golden("lm_wikitext103"), "text")}

// newServer returns a server of all kinds of models that wants a key.
func newServer(t *testing.T) *httptest.Server {
	t.Helper()
	s, err := serve.New(serve.Options{APIKeys: []string{"secret"}, Runs: []string{filepath.Join("..", "..", "docs", "results")}, Page: []byte("<html>"), Models: []serve.Model{
		words,
		{ID: "pairs", Path: golden("mt_wmt"), Data: filepath.Join("..", "..", "data", "pairs", "testdata", "mt")},
		{ID: "grey", Path: golden("lra_image")},
		{ID: "pictures", Path: golden("imagenet")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(func() { web.Close(); s.Close() })
	return web
}

func newClient(web *httptest.Server, key string) openai.Client {
	return openai.NewClient(option.WithBaseURL(web.URL+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0))
}

// TestOpenAIClient: texts, streams, log-probabilities, lists and errors as OpenAI's
// client reads them.
func TestOpenAIClient(t *testing.T) {
	web := newServer(t)
	client, ctx := newClient(web, "secret"), t.Context()
	models, err := client.Models.List(ctx)
	if err != nil || len(models.Data) != 4 || models.Data[0].ID != "words" {
		t.Fatalf("%+v, %v", models, err)
	}
	if m, err := client.Models.Get(ctx, "grey"); err != nil || m.OwnedBy != "mega" {
		t.Errorf("%+v, %v", m, err)
	}
	params := openai.CompletionNewParams{
		Model: "words", Prompt: openai.CompletionNewParamsPromptUnion{OfString: param.NewOpt("the")},
		MaxTokens: param.NewOpt[int64](30), Seed: param.NewOpt[int64](7), N: param.NewOpt[int64](2), Logprobs: param.NewOpt[int64](2),
		Stop: openai.CompletionNewParamsStopUnion{OfStringArray: []string{"="}},
	}
	got, err := client.Completions.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	want := alone(t, 30, 7, 2, "=")
	for i, w := range want {
		if c := got.Choices[i]; c.Text != w.Text || len(c.Logprobs.Tokens) != len(w.Tokens) || len(c.Logprobs.TopLogprobs[0]) < 2 {
			t.Errorf("choice %d is %q of %d tokens, want %q of %d", i, c.Text, len(c.Logprobs.Tokens), w.Text, len(w.Tokens))
		}
	}
	if got.Usage.PromptTokens != 1 || got.Usage.CompletionTokens != int64(len(want[0].Tokens)+len(want[1].Tokens)) {
		t.Errorf("usage %+v", got.Usage)
	}
	params.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: param.NewOpt(true)}
	stream := client.Completions.NewStreaming(ctx, params)
	texts, used := make([]string, 2), int64(0)
	for stream.Next() {
		for _, c := range stream.Current().Choices {
			texts[c.Index] += c.Text
		}
		used += stream.Current().Usage.TotalTokens
	}
	if err := stream.Err(); err != nil || texts[0] != want[0].Text || texts[1] != want[1].Text || used != got.Usage.TotalTokens {
		t.Errorf("%q, %d tokens, %v", texts, used, err)
	}
	params.Model = "none"
	var apiError *openai.Error
	if _, err := client.Completions.New(ctx, params); !errors.As(err, &apiError) || apiError.StatusCode != 404 || apiError.Type != "not_found_error" || apiError.Param != "model" {
		t.Errorf("%v", err)
	}
	other := newClient(web, "wrong")
	if _, err := other.Models.List(ctx); !errors.As(err, &apiError) || apiError.StatusCode != 401 || apiError.Type != "authentication_error" {
		t.Errorf("%v", err)
	}
}

// alone continues "the" as mega generate does.
func alone(t *testing.T, length int, seed uint64, n int, stop string) []generate.Continuation {
	t.Helper()
	m, err := language.Open(words.Path, language.OpenOptions{Data: words.Data})
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Begin()
	if err == nil {
		err = m.Read(t.Context(), p, "the", nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	o := generate.DefaultContinueOptions()
	o.MaxLen, o.Seed, o.Stop = length, seed, []string{stop}
	made, err := m.Continue(t.Context(), []*language.Prompt{p}, n, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestDescription: the OpenAPI description is valid, and answers of every route are as
// it says.
func TestDescription(t *testing.T) {
	web := newServer(t)
	loader := openapi3.NewLoader()
	text := do(t, web, "GET", "/openapi.json", "", nil, 200)
	doc, err := loader.LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		t.Errorf("the description: %v", err)
	}
	image, err := os.ReadFile(filepath.Join("..", "..", "docs", "results", "go-std", "curve.png"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range []struct {
		method, route, path, kind, body string
		status                          int
	}{
		{"GET", "/health", "/health", "", "", 200}, {"GET", "/v1/models", "/v1/models", "", "", 200}, {"GET", "/v1/models/{model}", "/v1/models/words", "", "", 200},
		{"GET", "/models", "/models", "", "", 200}, {"GET", "/models/{model}/averages", "/models/words/averages", "", "", 200},
		{"GET", "/runs", "/runs", "", "", 200}, {"GET", "/runs/{run}", "/runs/go-std", "", "", 200}, {"GET", "/runs/{run}", "/runs/none", "", "", 404},
		{"GET", "/languages", "/languages", "", "", 200},
		{"POST", "/v1/completions", "/v1/completions", "application/json", `{"model":"words","prompt":["the","a cat"],"n":2,"max_tokens":5,"logprobs":3,"echo":true,"stop":"x","return_state":true,"seed":1}`, 200},
		{"POST", "/v1/completions", "/v1/completions", "application/json", `{"model":"words","prompt":5}`, 400}, {"POST", "/v1/completions", "/v1/completions", "application/json", `{"model":"x","prompt":[4]}`, 404},
		{"POST", "/tokenize", "/tokenize", "application/json", `{"content":"the cat","with_pieces":true}`, 200}, {"POST", "/tokenize", "/tokenize", "application/json", `{}`, 400},
		{"POST", "/detokenize", "/detokenize", "application/json", `{"tokens":[4,5]}`, 200},
		{"POST", "/predict", "/predict?model=grey", "image/png", string(image), 200}, {"POST", "/predict", "/predict?model=grey", "image/png", "x", 400},
		{"POST", "/predict", "/predict", "application/json", `{"model":"grey","inputs":[{"pixels":[1,2]},{"pixels":[3]}]}`, 200}, {"POST", "/predict", "/predict", "", "x", 415},
		{"GET", "/v2", "/v2", "", "", 200}, {"GET", "/v2/health/live", "/v2/health/live", "", "", 200}, {"GET", "/v2/health/ready", "/v2/health/ready", "", "", 200},
		{"GET", "/v2/models/{model}", "/v2/models/grey", "", "", 200}, {"GET", "/v2/models/{model}/ready", "/v2/models/grey/ready", "", "", 200},
		{"POST", "/v2/models/{model}/infer", "/v2/models/grey/infer", "application/json", `{"inputs":[{"name":"pixels","shape":[1,2],"datatype":"UINT8","data":[1,2]}]}`, 200},
		{"POST", "/v2/models/{model}/infer", "/v2/models/words/infer", "application/json", `{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["the"]}]}`, 200},
		{"POST", "/v2/models/{model}/infer", "/v2/models/grey/infer", "application/json", `{}`, 400},
		{"POST", "/translate", "/translate", "application/json", `{"q":["the cat",""],"source":"auto","target":"de","alternatives":2}`, 200}, {"POST", "/translate", "/translate", "application/json", `{"q":"the cat","source":"en","target":"de"}`, 200},
		{"POST", "/translate", "/translate", "application/json", `{"q":"a","target":"fr"}`, 400},
	} {
		answer := do(t, web, c.method, c.path, c.kind, strings.NewReader(c.body), c.status)
		operation := doc.Paths.Value(c.route).GetOperation(c.method)
		if operation == nil || operation.Responses.Status(c.status) == nil {
			t.Errorf("%s %s: %d is not described", c.method, c.route, c.status)
			continue
		}
		seen[c.method+" "+c.route] = true
		check(t, c.method+" "+c.path, operation.Responses.Status(c.status).Value, answer)
		if body := operation.RequestBody; c.status == 200 && c.kind == "application/json" {
			value := decode(t, []byte(c.body))
			if err := body.Value.Content.Get(c.kind).Schema.Value.VisitJSON(value, openapi3.EnableFormatValidation()); err != nil {
				t.Errorf("%s %s: the request %s: %v", c.method, c.path, c.body, err)
			}
		}
	}
	// These answer by other means than a JSON text.
	for _, other := range []string{"GET /", "GET /metrics", "GET /openapi.json", "GET /runs/{run}/events", "POST /models/{model}/stream"} {
		seen[other] = true
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if !seen[method+" "+path] {
				t.Errorf("%s %s was not tried", method, path)
			}
		}
	}
}

// check holds an answer against the schema of a response.
func check(t *testing.T, what string, r *openapi3.Response, answer []byte) {
	t.Helper()
	media := r.Content.Get("application/json")
	if media == nil {
		t.Errorf("%s: no JSON is described", what)
		return
	}
	if err := media.Schema.Value.VisitJSON(decode(t, answer)); err != nil {
		t.Errorf("%s: %v in %s", what, err, answer)
	}
}

func decode(t *testing.T, text []byte) (value any) {
	t.Helper()
	if err := json.Unmarshal(text, &value); err != nil {
		t.Errorf("%v in %s", err, text)
	}
	return value
}

// do sends a request and returns the answer, which must have a status.
func do(t *testing.T, web *httptest.Server, method, path, kind string, body io.Reader, status int) []byte {
	t.Helper()
	r, err := http.NewRequest(method, web.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer secret")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(a.Body); err != nil || a.StatusCode != status {
		t.Errorf("%s %s: %d %s, want %d, %v", method, path, a.StatusCode, answer.String(), status, err)
	}
	return answer.Bytes()
}
