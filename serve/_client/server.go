// Package client starts the server that the tests below it use as their users' programs
// do: with OpenAI's Go client, and by the server's own description. It is a module of its
// own, so that nobody who uses mega downloads what it needs.
package client

import (
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/mega-go/mega/serve"
)

func golden(name string) string { return filepath.Join("..", "..", "..", "testdata", "golden", name) }

// Words is the language model.
var Words = serve.Model{ID: "words", Path: golden("lm_wikitext103"), Data: filepath.Join(golden("lm_wikitext103"), "text")}

// NewServer returns a server of all kinds of models that wants a key.
func NewServer(t *testing.T) *httptest.Server {
	t.Helper()
	s, err := serve.New(serve.Options{APIKeys: []string{"secret"}, Runs: []string{filepath.Join("..", "..", "..", "docs", "results")}, Page: []byte("<html>"), Models: []serve.Model{
		Words,
		{ID: "pairs", Path: golden("mt_wmt"), Data: filepath.Join("..", "..", "..", "data", "pairs", "testdata", "mt")},
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
