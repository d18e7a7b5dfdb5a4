package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"

	"github.com/mega-go/mega/data/audio"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/task/classify"
)

// predictRequest is a request to /predict, as Text Embeddings Inference has it, with a
// model beside.
type predictRequest struct {
	Model     string          `json:"model"`
	Inputs    json.RawMessage `json:"inputs"`
	RawScores bool            `json:"raw_scores"`
	Truncate  bool            `json:"truncate"`
	Top       int             `json:"top"`
	Direction string          `json:"truncation_direction"`
}

// A classScore is a class and its probability.
type classScore struct {
	Label string  `json:"label"`
	Score float64 `json:"score"`
}

// predict answers with the classes of inputs, the likeliest first.
func (s *Server) predict(w http.ResponseWriter, r *http.Request) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind == "" {
		return &failure{status: http.StatusUnsupportedMediaType, message: "no Content-Type that says what the body is: application/json, text/plain, audio/wav or image/..."}
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if kind != "application/json" {
		return s.predictFile(w, r, body)
	}
	var q predictRequest
	if err := strict(body, &q); err != nil {
		return err
	}
	switch {
	case q.RawScores:
		return invalid("raw_scores", "raw_scores is true, and only probabilities are to be had")
	case q.Direction != "" && q.Direction != "right" && q.Direction != "Right":
		return invalid("truncation_direction", "truncation_direction is %q, want right: inputs are cut at their end", q.Direction)
	case q.Top < 0:
		return invalid("top", "top is %d, want 0 or more", q.Top)
	}
	m, err := s.use(q.Model, classifierKind)
	if err != nil {
		return err
	}
	defer m.release()
	in, single, err := m.classes.inputs(q)
	if err != nil {
		return err
	}
	out, err := m.classes.batches.do(r.Context(), in)
	if err != nil {
		return err
	}
	tellTruncated(w, out)
	all := make([][]classScore, len(out))
	for i := range out {
		all[i] = scoresOf(&out[i], q.Top)
	}
	if single {
		writeJSON(w, http.StatusOK, all[0])
	} else {
		writeJSON(w, http.StatusOK, all)
	}
	return nil
}

// predictFile is predict of a body that is the input.
func (s *Server) predictFile(w http.ResponseWriter, r *http.Request, body []byte) error {
	q := r.URL.Query()
	truncate, err1 := boolOf(q.Get("truncate"))
	top, err2 := wholeOf(q.Get("top"))
	if err1 != nil || err2 != nil {
		return invalid("truncate", "truncate is %q and top %q, want true or false, and a number", q.Get("truncate"), q.Get("top"))
	}
	m, err := s.use(q.Get("model"), classifierKind)
	if err != nil {
		return err
	}
	defer m.release()
	in, err := m.classes.file(truncate, body)
	if err != nil {
		return err
	}
	out, err := m.classes.batches.do(r.Context(), []classInput{in})
	if err != nil {
		return err
	}
	tellTruncated(w, out)
	writeJSON(w, http.StatusOK, scoresOf(&out[0], top))
	return nil
}

// tellTruncated says how much was read of an input that was cut: the body, which has
// the protocol's shape, has no place for it.
func tellTruncated(w http.ResponseWriter, all []classify.Prediction) {
	for _, p := range all {
		if p.Truncated {
			w.Header().Add("X-Mega-Truncated", strconv.Itoa(p.Length))
		}
	}
}

func scoresOf(p *classify.Prediction, top int) []classScore {
	p.Top(top)
	out := make([]classScore, len(p.Classes))
	for i, c := range p.Classes {
		out[i] = classScore{c.Class, c.Probability}
	}
	return out
}

// inputs reads what a request asks about: one text, record or pair, or a list.
func (c *classifying) inputs(q predictRequest) (in []classInput, single bool, err error) {
	text := bytes.TrimSpace(q.Inputs)
	if len(text) == 0 {
		return nil, false, invalid("inputs", "there are no inputs: want a text, an object or a list of them")
	}
	var list []json.RawMessage
	if text[0] != '[' {
		one, err := c.input(q.Truncate, text)
		return []classInput{one}, true, err
	}
	if err := config.Decode(text, &list); err != nil {
		return nil, false, invalid("inputs", "%v", err)
	}
	if len(list) == 0 {
		return nil, false, invalid("inputs", "the list of inputs is empty")
	}
	if c.sequences != nil && c.sequences.Pair() && len(list) == 2 && list[0][0] == '"' && list[1][0] == '"' {
		one, err := c.input(q.Truncate, text) // ["a", "b"] is a pair
		return []classInput{one}, true, err
	}
	for _, item := range list {
		one, err := c.input(q.Truncate, item)
		if err != nil {
			return nil, false, err
		}
		in = append(in, one)
	}
	return in, false, nil
}

// input reads one input: a text, a list of one text or the two of a pair, or a record.
func (c *classifying) input(truncate bool, text json.RawMessage) (classInput, error) {
	switch text[0] {
	case '"':
		var one string
		if err := config.Decode(text, &one); err != nil {
			return classInput{}, invalid("inputs", "%v", err)
		}
		return c.text(truncate, one)
	case '[':
		var several []string
		if err := config.Decode(text, &several); err != nil || len(several) == 0 {
			return classInput{}, invalid("inputs", "%s is neither a text nor the two of a pair", clip(string(text)))
		}
		return c.text(truncate, several...)
	case '{':
		r, err := classify.ParseRecord(text)
		if err != nil {
			return classInput{}, invalid("inputs", "%v", err)
		}
		return c.record(truncate, r)
	}
	return classInput{}, invalid("inputs", "%s is neither a text, a list nor an object", clip(string(text)))
}

// classStream answers with the classes of the windows of a stream, a line of JSON for
// each, while the body is being sent.
func (s *Server) classStream(w http.ResponseWriter, r *http.Request) error {
	m, err := s.use(r.PathValue("model"), classifierKind)
	if err != nil {
		return err
	}
	defer m.release()
	if m.classes.sequences == nil {
		return invalid("model", "the model reads pictures, which are no stream")
	}
	o, err := streamOptions(r)
	if err != nil {
		return err
	}
	o.Predict = func(e classify.Example) (classify.Prediction, error) {
		out, err := m.classes.batches.do(r.Context(), []classInput{{Example: e}})
		if err != nil {
			return classify.Prediction{}, err
		}
		return out[0], nil
	}
	rc := http.NewResponseController(w)
	_ = rc.EnableFullDuplex() // HTTP/2 always is
	begun := false
	err = m.classes.reader(true).Stream(r.Context(), r.Body, o, func(p classify.Prediction) error {
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
		}
		begun = true
		if err := p.WriteJSON(w); err != nil {
			return err
		}
		return rc.Flush()
	})
	if err == nil || !begun {
		return refused(err)
	}
	_ = json.NewEncoder(w).Encode(embeddingsInference(asFailure(refused(err))))
	return nil
}

// streamOptions reads how a stream is cut into windows.
func streamOptions(r *http.Request) (o classify.StreamOptions, err error) {
	q := r.URL.Query()
	numbers := map[string]int{}
	for _, name := range []string{"window", "stride", "rate", "channels"} {
		n, err := wholeOf(q.Get(name))
		if err != nil {
			return o, invalid(name, "%s is %q, want a whole number", name, q.Get(name))
		}
		numbers[name] = n
	}
	o.Window, o.Stride = numbers["window"], numbers["stride"]
	switch format := q.Get("format"); {
	case format == "pcm":
		const usualRate, mostChannels = 16000, 1 << 10
		o.PCM = &audio.PCM{Rate: usualRate, Channels: min(max(numbers["channels"], 1), mostChannels)}
		if numbers["rate"] > 0 {
			o.PCM.Rate = numbers["rate"]
		}
	case format != "" && format != "wav" && format != "text":
		return o, invalid("format", "format is %q, want wav, pcm or text", format)
	case numbers["rate"] > 0 || numbers["channels"] > 0:
		return o, invalid("rate", "rate and channels are for format=pcm")
	}
	return o, nil
}

func wholeOf(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err
}

func boolOf(text string) (bool, error) {
	if text == "" {
		return false, nil
	}
	return strconv.ParseBool(text)
}

// clip shortens a text for an error.
func clip(text string) string {
	const most = 40
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

// readBody reads the body of a request, which is bounded. What comes slowly is waited
// for as long as something comes.
func readBody(r *http.Request) ([]byte, error) {
	var buffer bytes.Buffer // which doubles, where io.ReadAll copies a long body five times
	_, err := buffer.ReadFrom(r.Body)
	body := buffer.Bytes()
	if err == nil || context.Cause(r.Context()) != nil {
		return body, err
	}
	if f := asFailure(err); f.status < 500 {
		return nil, f
	}
	return nil, invalid("", "the body did not come whole: %v", err)
}

// readJSON reads the body of a request into a struct, as strict does.
func readJSON(r *http.Request, into any) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	return strict(body, into)
}

// strict reads JSON into a struct. Keys that it does not have are an error.
func strict(body []byte, into any) error {
	if err := config.Strict(body, into); err != nil {
		return invalid("", "%v", err)
	}
	return nil
}
