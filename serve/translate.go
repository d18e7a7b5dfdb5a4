package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/task/translate"
)

// translateBatch bounds the lines that are translated side by side.
const translateBatch = 64

// mostBeam bounds the hypotheses of a search, which are that many rows for each line.
const mostBeam = 50

// translating computes for a translator. A batch is its turn on a device.
type translating struct {
	device     *device.Loop // has the translator, nil for the host
	translator *translate.Translator
	batches    *batcher[lineInput, lineOutput]
}

// A lineInput is a line to translate, and how.
type lineInput struct {
	text        string
	beam, nbest int
}

// A lineOutput is a line's translations, the best first.
type lineOutput struct {
	texts   []string
	scores  []float64
	unknown []string
}

func newTranslating(t *translate.Translator, o Options, log *slog.Logger) *translating {
	x := &translating{translator: t, device: o.Device}
	x.batches = (&batcher[lineInput, lineOutput]{
		compute: x.compute,
		alike:   func(a, b lineInput) bool { return a.beam == b.beam && a.nbest == b.nbest },
		size:    func(in lineInput) int { return in.beam },
		room:    translateBatch * t.Searcher.Options.Beam, most: translateBatch, log: log,
	}).start(o.Queue)
	return x
}

func (x *translating) close() { x.batches.close() }

// compute translates lines of one beam.
func (x *translating) compute(ctx context.Context, in []lineInput) ([]lineOutput, error) {
	t := *x.translator
	t.Searcher.Options.Beam, t.Searcher.Options.NBest = in[0].beam, in[0].nbest
	lines := make([]string, len(in))
	for i := range in {
		lines[i] = in[i].text
	}
	var found []translate.Line
	var err error
	x.device.Do(func() { found, err = t.Translate(ctx, lines, 1, nil) })
	if err != nil {
		return nil, invalid("q", "%v", err)
	}
	out := make([]lineOutput, len(found))
	for i, l := range found {
		out[i].unknown = l.Unknown
		for _, h := range l.Found[:min(in[0].nbest, len(l.Found))] {
			if !math.IsInf(h.Score, -1) {
				out[i].texts, out[i].scores = append(out[i].texts, t.Plain(l, h)), append(out[i].scores, h.Score)
			}
		}
	}
	return out, nil
}

// translateRequest is a request to /translate, as LibreTranslate has it, with a model
// and a beam beside.
type translateRequest struct {
	Q            json.RawMessage `json:"q"`
	Source       string          `json:"source"`
	Target       string          `json:"target"`
	Format       string          `json:"format"`
	Alternatives int             `json:"alternatives"`
	APIKey       string          `json:"api_key"`
	Model        string          `json:"model"`
	Beam         int             `json:"beam"`
}

// translateAnswer is the answer. Of a list of texts each is a list.
type translateAnswer struct {
	TranslatedText   any `json:"translatedText"`
	Alternatives     any `json:"alternatives,omitempty"`
	Scores           any `json:"scores"` // log-probabilities over a power of the length, of the translation and its alternatives
	DetectedLanguage any `json:"detectedLanguage,omitempty"`
}

func (s *Server) translate(w http.ResponseWriter, r *http.Request) error {
	q, err := readTranslateRequest(r)
	if err != nil {
		return err
	}
	texts, list, err := q.texts()
	if err != nil {
		return err
	}
	m, err := s.translator(q)
	if err != nil {
		return err
	}
	defer m.release()
	beam := m.translation.translator.Searcher.Options.Beam
	if q.Beam > 0 {
		beam = q.Beam
	}
	beam = max(beam, q.Alternatives+1)
	// A text of several lines is translated line by line.
	var in []lineInput
	counts := make([]int, len(texts))
	for i, text := range texts {
		lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
		counts[i] = len(lines)
		for _, line := range lines {
			in = append(in, lineInput{line, beam, q.Alternatives + 1})
		}
	}
	out, err := m.translation.batches.do(r.Context(), in)
	if err != nil {
		return err
	}
	var joined []lineOutput
	for _, n := range counts {
		joined, out = append(joined, joinLines(out[:n], q.Alternatives+1)), out[n:]
	}
	writeJSON(w, http.StatusOK, q.answer(joined, list, m.info.Source))
	return nil
}

// joinLines puts the translations of the lines of a text together: the k-th of each,
// or where a line has fewer its last.
func joinLines(lines []lineOutput, most int) lineOutput {
	n := 0
	for _, l := range lines {
		n = max(n, len(l.texts))
	}
	var out lineOutput
	for k := range min(n, most) {
		var texts []string
		score, counted := 0.0, 0
		for _, l := range lines {
			if len(l.texts) == 0 { // an empty line
				texts = append(texts, "")
				continue
			}
			at := min(k, len(l.texts)-1)
			texts = append(texts, l.texts[at])
			score += l.scores[at]
			counted++
		}
		out.texts, out.scores = append(out.texts, strings.Join(texts, "\n")), append(out.scores, score/float64(counted))
	}
	if n == 0 {
		out.texts = []string{strings.Repeat("\n", len(lines)-1)}
	}
	return out
}

// readTranslateRequest reads JSON, or a form as LibreTranslate takes it too.
func readTranslateRequest(r *http.Request) (q translateRequest, err error) {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if strings.TrimSpace(kind) == "application/x-www-form-urlencoded" {
		return formRequest(r)
	}
	err = readJSON(r, &q)
	return q, err
}

func formRequest(r *http.Request) (q translateRequest, err error) {
	if err := r.ParseForm(); err != nil {
		return q, invalid("", "the form cannot be read: %v", err)
	}
	q.Source, q.Target, q.Format, q.Model = r.PostFormValue("source"), r.PostFormValue("target"), r.PostFormValue("format"), r.PostFormValue("model")
	if q.Alternatives, err = wholeOf(r.PostFormValue("alternatives")); err != nil {
		return q, invalid("alternatives", "alternatives is %q, want a whole number", r.PostFormValue("alternatives"))
	}
	if text := r.PostForm["q"]; len(text) > 0 { // else it is said that there is none
		q.Q, err = json.Marshal(text[0])
	}
	return q, err
}

// texts checks a request and returns what is to be translated.
func (q translateRequest) texts() (texts []string, list bool, err error) {
	raw := bytes.TrimSpace(q.Q)
	list = len(raw) > 0 && raw[0] == '['
	switch {
	case len(raw) == 0:
		return nil, list, invalid("q", "there is no q: want a text or a list of texts, in JSON (Content-Type: application/json) or a form")
	case list:
		err = config.Decode(raw, &texts)
	default:
		texts = make([]string, 1)
		err = config.Decode(raw, &texts[0])
	}
	switch {
	case err != nil:
		return nil, list, invalid("q", "q: %v", err)
	case q.Format != "" && q.Format != "text":
		return nil, list, invalid("format", "format is %q, want text: markup is not taken apart", q.Format)
	case q.Alternatives < 0 || q.Alternatives >= mostBeam:
		return nil, list, invalid("alternatives", "alternatives is %d, want 0 to %d", q.Alternatives, mostBeam-1)
	case q.Beam < 0 || q.Beam > mostBeam:
		return nil, list, invalid("beam", "beam is %d, want 1 to %d", q.Beam, mostBeam)
	case slices.ContainsFunc(texts, func(text string) bool { return !utf8.ValidString(text) }):
		return nil, list, invalid("q", "q is not UTF-8")
	}
	return texts, list, nil
}

func (q translateRequest) answer(out []lineOutput, list bool, source string) translateAnswer {
	texts, alternatives, scores := make([]string, len(out)), make([][]string, len(out)), make([][]float64, len(out))
	for i, o := range out {
		texts[i], alternatives[i], scores[i] = o.texts[0], o.texts[1:], append([]float64{}, o.scores...)
	}
	a := translateAnswer{TranslatedText: texts, Scores: scores}
	if q.Alternatives > 0 {
		a.Alternatives = alternatives
	}
	if !list {
		a.TranslatedText, a.Scores = texts[0], scores[0]
		if q.Alternatives > 0 {
			a.Alternatives = alternatives[0]
		}
	}
	if q.Source == "auto" && source != "" {
		a.DetectedLanguage = map[string]any{"language": source, "confidence": 100} // the only one there is
	}
	return a
}

// translator returns the model that a request names, or that translates its languages.
func (s *Server) translator(q translateRequest) (*loaded, error) {
	if q.Model != "" {
		return s.use(q.Model, translatorKind)
	}
	var pairs []string
	for _, slot := range s.slots {
		m := slot.acquire()
		i := m.info
		if m.translation != nil && matches(q.Source, i.Source) && matches(q.Target, i.Target) {
			return m, nil
		}
		if m.translation != nil {
			pairs = append(pairs, fmt.Sprintf("%s to %s", i.Source, i.Target))
		}
		m.release()
	}
	if len(pairs) == 0 {
		return nil, &failure{status: http.StatusNotFound, message: "the server has no translator"}
	}
	return nil, invalid("target", "%s to %s is not to be had, but %s", q.Source, q.Target, strings.Join(pairs, ", "))
}

// matches reports whether a request's language is a model's. Either may be unknown.
func matches(asked, has string) bool {
	return asked == "" || asked == "auto" || has == "" || asked == has
}

// A languageInfo is a language that texts can be in, and into which.
type languageInfo struct {
	Code    string   `json:"code"`
	Name    string   `json:"name"`
	Targets []string `json:"targets"`
}

func (s *Server) languages(w http.ResponseWriter, r *http.Request) error {
	out := []languageInfo{}
	for _, slot := range s.slots {
		m := slot.acquire()
		if m.translation != nil && m.info.Source != "" {
			i := slices.IndexFunc(out, func(l languageInfo) bool { return l.Code == m.info.Source })
			if i < 0 {
				i, out = len(out), append(out, languageInfo{m.info.Source, languageName(m.info.Source), nil})
			}
			if !slices.Contains(out[i].Targets, m.info.Target) {
				out[i].Targets = append(out[i].Targets, m.info.Target)
			}
		}
		m.release()
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// languageName returns the English name of a language, its code if it has none.
func languageName(code string) string {
	tag, err := language.Parse(code)
	if err != nil {
		return code
	}
	return display.English.Languages().Name(tag)
}
