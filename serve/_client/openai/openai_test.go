package openai_test

import (
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"

	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/serve/client"
	"github.com/mega-go/mega/task/language"
)

func newClient(web *httptest.Server, key string) openai.Client {
	return openai.NewClient(option.WithBaseURL(web.URL+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0))
}

// TestOpenAIClient: texts, streams, log-probabilities, lists and errors as OpenAI's
// client reads them.
func TestOpenAIClient(t *testing.T) {
	web := client.NewServer(t)
	c, ctx := newClient(web, "secret"), t.Context()
	models, err := c.Models.List(ctx)
	if err != nil || len(models.Data) != 4 || models.Data[0].ID != "words" {
		t.Fatalf("%+v, %v", models, err)
	}
	if m, err := c.Models.Get(ctx, "grey"); err != nil || m.OwnedBy != "mega" {
		t.Errorf("%+v, %v", m, err)
	}
	params := openai.CompletionNewParams{
		Model: "words", Prompt: openai.CompletionNewParamsPromptUnion{OfString: param.NewOpt("the")},
		MaxTokens: param.NewOpt[int64](30), Seed: param.NewOpt[int64](7), N: param.NewOpt[int64](2), Logprobs: param.NewOpt[int64](2),
		Stop: openai.CompletionNewParamsStopUnion{OfStringArray: []string{"="}},
	}
	got, err := c.Completions.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	want := alone(t, 30, 7, 2, "=")
	for i, w := range want {
		if g := got.Choices[i]; g.Text != w.Text || len(g.Logprobs.Tokens) != len(w.Tokens) || len(g.Logprobs.TopLogprobs[0]) < 2 {
			t.Errorf("choice %d is %q of %d tokens, want %q of %d", i, g.Text, len(g.Logprobs.Tokens), w.Text, len(w.Tokens))
		}
	}
	if got.Usage.PromptTokens != 1 || got.Usage.CompletionTokens != int64(len(want[0].Tokens)+len(want[1].Tokens)) {
		t.Errorf("usage %+v", got.Usage)
	}
	params.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: param.NewOpt(true)}
	stream := c.Completions.NewStreaming(ctx, params)
	texts, used := make([]string, 2), int64(0)
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			texts[choice.Index] += choice.Text
		}
		used += stream.Current().Usage.TotalTokens
	}
	if err := stream.Err(); err != nil || texts[0] != want[0].Text || texts[1] != want[1].Text || used != got.Usage.TotalTokens {
		t.Errorf("%q, %d tokens, %v", texts, used, err)
	}
	params.Model, params.StreamOptions = "none", openai.ChatCompletionStreamOptionsParam{}
	var apiError *openai.Error
	if _, err := c.Completions.New(ctx, params); !errors.As(err, &apiError) || apiError.StatusCode != 404 || apiError.Type != "not_found_error" || apiError.Param != "model" {
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
	m, err := language.Open(client.Words.Path, language.OpenOptions{Data: client.Words.Data})
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
