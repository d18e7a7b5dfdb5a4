package description_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/mega-go/mega/serve/client"
)

// TestDescription: the OpenAPI description is valid, and answers of every route are as
// it says.
func TestDescription(t *testing.T) {
	web := client.NewServer(t)
	loader := openapi3.NewLoader()
	text := do(t, web, "GET", "/openapi.json", "", nil, 200)
	doc, err := loader.LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		t.Errorf("the description: %v", err)
	}
	image, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "results", "go-std", "curve.png"))
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
