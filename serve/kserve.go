package serve

import (
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/task/classify"
)

// This file is KServe's open inference protocol, version 2, over JSON. Inputs are named
// by what they are: text (BYTES, all kinds of models that read it), file (BYTES, the
// base64 of a WAV file or an image), tokens (INT32 or INT64), pixels (UINT8 to INT64),
// samples and values (FP32 or FP64), all of shape [inputs] or [inputs, length].

// A kserveTensor is an input or an output.
type kserveTensor struct {
	Name       string          `json:"name"`
	Shape      []int           `json:"shape"`
	Datatype   string          `json:"datatype"`
	Parameters map[string]any  `json:"parameters,omitempty"`
	Data       json.RawMessage `json:"data"`
}

// kserveRequest is a request to infer.
type kserveRequest struct {
	ID         string           `json:"id"`
	Parameters kserveParameters `json:"parameters"`
	Inputs     []kserveTensor   `json:"inputs"`
	Outputs    json.RawMessage  `json:"outputs"` // all are given, whatever is asked for
}

// kserveParameters say how texts are made: those of /v1/completions that are numbers, and
// of /predict and /translate.
type kserveParameters struct {
	MaxTokens   *int     `json:"max_tokens"`
	Temperature *float64 `json:"temperature"`
	TopP        *float64 `json:"top_p"`
	TopK        int      `json:"top_k"`
	Seed        *int64   `json:"seed"`
	Truncate    bool     `json:"truncate"`
	Beam        int      `json:"beam"`
}

// kserveAnswer is the answer.
type kserveAnswer struct {
	ModelName    string         `json:"model_name"`
	ModelVersion string         `json:"model_version"`
	ID           string         `json:"id,omitempty"`
	Outputs      []kserveOutput `json:"outputs"`
}

type kserveOutput struct {
	Name     string `json:"name"`
	Shape    []int  `json:"shape"`
	Datatype string `json:"datatype"`
	Data     any    `json:"data,omitempty"`
}

func (s *Server) kserveServer(w http.ResponseWriter, r *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]any{"name": "mega", "version": "2", "extensions": []string{}})
	return nil
}

func (s *Server) kserveLive(w http.ResponseWriter, r *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]bool{"live": true})
	return nil
}

func (s *Server) kserveReady(w http.ResponseWriter, r *http.Request) error {
	if s.draining() {
		writeJSON(w, http.StatusServiceUnavailable, map[string]bool{"ready": false})
		return nil
	}
	writeJSON(w, http.StatusOK, map[string]bool{"ready": true})
	return nil
}

func (s *Server) kserveModelReady(w http.ResponseWriter, r *http.Request) error {
	l, err := s.use(r.PathValue("model"), anyKind)
	if err != nil {
		return err
	}
	defer l.release()
	writeJSON(w, http.StatusOK, map[string]any{"name": l.info.ID, "ready": true})
	return nil
}

// kserveModel says what a model takes and gives; a length of -1 varies.
func (s *Server) kserveModel(w http.ResponseWriter, r *http.Request) error {
	l, err := s.use(r.PathValue("model"), anyKind)
	if err != nil {
		return err
	}
	defer l.release()
	texts := kserveOutput{Name: "text", Shape: []int{-1}, Datatype: "BYTES"}
	in, out := []kserveOutput{texts}, []kserveOutput{texts}
	if l.classes != nil {
		in = l.classes.tensors()
		out = []kserveOutput{
			{Name: "label", Shape: []int{-1}, Datatype: "BYTES"},
			{Name: "probabilities", Shape: []int{-1, -1}, Datatype: "FP64"},
			{Name: "classes", Shape: []int{-1, -1}, Datatype: "BYTES"},
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"name": l.info.ID, "versions": []string{"1"}, "platform": "mega_" + l.info.Kind, "inputs": in, "outputs": out})
	return nil
}

// tensors lists the inputs that a classifier takes; a request has one of them.
func (c *classifying) tensors() []kserveOutput {
	file := kserveOutput{Name: "file", Shape: []int{-1}, Datatype: "BYTES"}
	numbers := func(name, datatype string) kserveOutput {
		return kserveOutput{Name: name, Shape: []int{-1, -1}, Datatype: datatype}
	}
	if c.pictures != nil {
		return []kserveOutput{file}
	}
	switch c.sequences.Inputs.Kind {
	case classify.InputImage:
		return []kserveOutput{file, numbers("pixels", "UINT8")}
	case classify.InputAudio:
		return []kserveOutput{file, numbers("samples", "FP32")}
	case classify.InputSeries:
		return []kserveOutput{numbers("values", "FP32")}
	}
	shape := []int{-1}
	if c.sequences.Pair() {
		shape = []int{-1, 2}
	}
	return []kserveOutput{{Name: "text", Shape: shape, Datatype: "BYTES"}, numbers("tokens", "INT32")}
}

func (s *Server) kserveInfer(w http.ResponseWriter, r *http.Request) error {
	var q kserveRequest
	if err := readJSON(r, &q); err != nil {
		return err
	}
	if len(q.Inputs) != 1 {
		return invalid("inputs", "%d inputs, want one tensor", len(q.Inputs))
	}
	if err := q.Inputs[0].check(); err != nil {
		return err
	}
	l, err := s.use(r.PathValue("model"), anyKind)
	if err != nil {
		return err
	}
	defer l.release()
	a := kserveAnswer{ModelName: l.info.ID, ModelVersion: "1", ID: q.ID}
	switch {
	case l.classes != nil:
		a.Outputs, err = l.classes.infer(r, q)
	case l.text != nil:
		a.Outputs, err = s.inferText(r, l.text, q)
	default:
		a.Outputs, err = l.translation.infer(r, q)
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, a)
	return nil
}

// check holds a tensor's shape against bounds.
func (t *kserveTensor) check() error {
	const most = 1 << 28
	count := 1
	for _, n := range t.Shape {
		if n < 1 || n > most/count {
			return invalid("shape", "the shape of %s is %v, want sizes above 0 that are less than %d together", clip(t.Name), t.Shape, most)
		}
		count *= n
	}
	if len(t.Shape) < 1 || len(t.Shape) > 2 {
		return invalid("shape", "the shape of %s is %v, want [inputs] or [inputs, length]", clip(t.Name), t.Shape)
	}
	return nil
}

// rows decodes the data of a tensor, which is flat or nested, as rows.
func rows[T any](t *kserveTensor) ([][]T, error) {
	var flat []T
	if config.Decode(t.Data, &flat) != nil {
		var nested [][]T
		if err := config.Decode(t.Data, &nested); err != nil {
			return nil, invalid("data", "the data of %s: %v", clip(t.Name), err)
		}
		for _, row := range nested {
			flat = append(flat, row...)
		}
	}
	width := 1
	if len(t.Shape) == 2 {
		width = t.Shape[1]
	}
	if len(flat) != t.Shape[0]*width {
		return nil, invalid("data", "%s has %d elements, and its shape %v %d", clip(t.Name), len(flat), t.Shape, t.Shape[0]*width)
	}
	out := make([][]T, t.Shape[0])
	for i := range out {
		out[i] = flat[i*width:][:width]
	}
	return out, nil
}

// texts returns the texts of a tensor.
func (t *kserveTensor) texts() ([][]string, error) {
	if t.Datatype != "BYTES" {
		return nil, invalid("datatype", "the datatype of %s is %q, want BYTES", clip(t.Name), clip(t.Datatype))
	}
	return rows[string](t)
}

// single returns texts of which each is one input.
func (t *kserveTensor) single() ([]string, error) {
	if t.Name != "text" || len(t.Shape) != 1 {
		return nil, invalid("inputs", "the input is %s of shape %v, want text of shape [inputs]", clip(t.Name), t.Shape)
	}
	all, err := t.texts()
	out := make([]string, len(all))
	for i := range all {
		out[i] = all[i][0]
	}
	return out, err
}

// infer answers with the classes of the inputs.
func (c *classifying) infer(r *http.Request, q kserveRequest) ([]kserveOutput, error) {
	in, err := c.kserveInputs(&q.Inputs[0], q.Parameters.Truncate)
	if err != nil {
		return nil, err
	}
	found, err := c.batches.do(r.Context(), in)
	if err != nil {
		return nil, err
	}
	var labels, classes []string
	var probabilities []float64
	for _, p := range found {
		labels = append(labels, p.Class)
		for _, g := range p.Classes {
			classes, probabilities = append(classes, g.Class), append(probabilities, g.Probability)
		}
	}
	shape := []int{len(found), len(classes) / len(found)}
	return []kserveOutput{
		{Name: "label", Shape: shape[:1], Datatype: "BYTES", Data: labels},
		{Name: "probabilities", Shape: shape, Datatype: "FP64", Data: probabilities},
		{Name: "classes", Shape: shape, Datatype: "BYTES", Data: classes},
	}, nil
}

// kserveInputs reads the inputs of a tensor.
func (c *classifying) kserveInputs(t *kserveTensor, truncate bool) (in []classInput, err error) {
	each := func(n int, read func(i int) (classInput, error)) ([]classInput, error) {
		for i := range n {
			one, err := read(i)
			if err != nil {
				return nil, err
			}
			in = append(in, one)
		}
		return in, nil
	}
	switch t.Name {
	case "text", "file":
		all, err := t.texts()
		if err != nil {
			return nil, err
		}
		return each(len(all), func(i int) (classInput, error) {
			if t.Name == "text" {
				return c.text(truncate, all[i]...)
			}
			b, err := base64.StdEncoding.DecodeString(all[i][0])
			if err != nil {
				return classInput{}, invalid("data", "file %d is not base64: %v", i, err)
			}
			return c.file(truncate, b)
		})
	case "tokens":
		all, err := rows[int32](t)
		if err != nil {
			return nil, err
		}
		return each(len(all), func(i int) (classInput, error) { return c.record(truncate, classify.Record{Tokens: all[i]}) })
	case "pixels":
		all, err := rows[int](t)
		if err != nil {
			return nil, err
		}
		return each(len(all), func(i int) (classInput, error) { return c.record(truncate, classify.Record{Pixels: all[i]}) })
	case "samples", "values":
		all, err := rows[float32](t)
		if err != nil {
			return nil, err
		}
		return each(len(all), func(i int) (classInput, error) {
			if t.Name == "values" {
				return c.record(truncate, classify.Record{Values: all[i]})
			}
			return c.record(truncate, classify.Record{Samples: all[i]})
		})
	}
	return nil, invalid("inputs", "the input is called %s, want text, file, tokens, pixels, samples or values", clip(t.Name))
}

// inferText answers with continuations of texts.
func (s *Server) inferText(r *http.Request, e *textEngine, q kserveRequest) ([]kserveOutput, error) {
	texts, err := q.Inputs[0].single()
	if err != nil {
		return nil, err
	}
	p := q.Parameters
	c := completionRequest{MaxTokens: p.MaxTokens, Temperature: p.Temperature, TopP: p.TopP, TopK: p.TopK, Seed: p.Seed, Prompt: prompts{texts: texts}}
	o, err := c.options(s.options)
	if err == nil {
		err = c.check(s.options)
	}
	if err != nil {
		return nil, err
	}
	made, reasons, err := e.continueAll(r.Context(), texts, o)
	if err != nil {
		return nil, err
	}
	shape := []int{len(made)}
	return []kserveOutput{
		{Name: "text", Shape: shape, Datatype: "BYTES", Data: made},
		{Name: "finish_reason", Shape: shape, Datatype: "BYTES", Data: reasons},
	}, nil
}

// infer answers with translations of lines.
func (x *translating) infer(r *http.Request, q kserveRequest) ([]kserveOutput, error) {
	texts, err := q.Inputs[0].single()
	if err != nil {
		return nil, err
	}
	beam := q.Parameters.Beam
	if beam < 0 || beam > mostBeam {
		return nil, invalid("beam", "beam is %d, want 1 to %d", beam, mostBeam)
	}
	if beam == 0 {
		beam = x.translator.Searcher.Options.Beam
	}
	in := make([]lineInput, len(texts))
	for i, text := range texts {
		in[i] = lineInput{text, beam, 1}
	}
	found, err := x.batches.do(r.Context(), in)
	if err != nil {
		return nil, err
	}
	out, scores := make([]string, len(found)), make([]float64, len(found))
	for i, l := range found {
		if len(l.texts) > 0 {
			out[i], scores[i] = l.texts[0], l.scores[0]
		}
	}
	shape := []int{len(out)}
	return []kserveOutput{
		{Name: "text", Shape: shape, Datatype: "BYTES", Data: out},
		{Name: "score", Shape: shape, Datatype: "FP64", Data: scores},
	}, nil
}
