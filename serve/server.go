package serve

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mega-go/mega/internal/cuda/device"
)

// Options say what a server serves and what it takes.
type Options struct {
	Models []Model
	Runs   []string // run directories, or directories of them, whose curves are shown
	Page   []byte   // what GET / answers; nil for nothing

	APIKeys []string // any of which requests must have; none lets everybody in
	Origins []string // of web pages that may use the server (CORS), "*" for all

	MaxBody     int64         // bytes of a request
	MaxTokens   int           // that are made of one prompt
	MaxTime     time.Duration // that a request may take, streams of classifiers and of runs left out
	Rows        int           // texts that a language model makes side by side
	Queue       int           // prompts or inputs that wait for a model
	StateMemory int           // bytes for the states of a language model; negative for none
	Reload      time.Duration // how often checkpoints are looked at for changes; negative for never

	Device *device.Loop // has the models and computes, nil for the host; it must run until the server is closed

	Log *slog.Logger // nil for none
}

// withDefaults returns the options with defaults in place of zeros.
func (o Options) withDefaults() Options {
	o.MaxBody = cmp.Or(o.MaxBody, 64<<20)
	o.MaxTokens = cmp.Or(o.MaxTokens, 1<<16)
	o.MaxTime = cmp.Or(o.MaxTime, 10*time.Minute)
	o.Rows = cmp.Or(o.Rows, 64)
	o.Queue = cmp.Or(o.Queue, 256)
	o.StateMemory = cmp.Or(o.StateMemory, 512<<20)
	o.Reload = cmp.Or(o.Reload, 5*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// A Server answers requests about its models. It is an http.Handler.
type Server struct {
	options Options
	log     *slog.Logger
	slots   []*slot
	mux     *http.ServeMux
	routes  []string
	keys    [][sha256.Size]byte
	metrics *metrics

	base    context.Context // ends all work
	abort   context.CancelCauseFunc
	drained chan struct{} // closed when nothing new is accepted
	drain   sync.Once
	working sync.WaitGroup // requests, and what watches
	mu      sync.Mutex     // guards that working does not grow after drained
}

// New loads the models and returns a server of them, to be closed.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	s := &Server{options: o, log: o.Log, metrics: newMetrics(), drained: make(chan struct{})}
	for _, k := range o.APIKeys {
		s.keys = append(s.keys, sha256.Sum256([]byte(k)))
	}
	for _, m := range o.Models {
		if m.ID == "" || strings.ContainsAny(m.ID, "/\x00") {
			return nil, errors.Join(fmt.Errorf("%s: %q is no name of a model, want one without /", m.Path, m.ID), s.closeModels())
		}
		if slices.ContainsFunc(s.slots, func(other *slot) bool { return other.ID == m.ID }) {
			return nil, errors.Join(fmt.Errorf("two models are called %s: give one of them another name, as NAME=%s", m.ID, m.Path), s.closeModels())
		}
		slot := &slot{Model: m, created: time.Now()}
		var err error
		if slot.mark, err = m.fingerprint(); err == nil {
			slot.current, err = m.load(o, s.log)
		}
		if err != nil {
			return nil, errors.Join(err, s.closeModels())
		}
		s.slots = append(s.slots, slot)
	}
	s.base, s.abort = context.WithCancelCause(context.Background())
	s.route()
	if o.Reload > 0 && len(s.slots) > 0 {
		s.working.Go(func() { s.watch(s.untilDrained(s.base)) })
	}
	return s, nil
}

func (s *Server) closeModels() error {
	for _, m := range s.slots {
		m.current.close()
	}
	return nil
}

// Drain lets the server accept nothing new. It returns when all that was accepted
// is answered, or when ctx ends, after which what is left fails.
func (s *Server) Drain(ctx context.Context) {
	s.drain.Do(func() {
		s.mu.Lock()
		close(s.drained)
		s.mu.Unlock()
	})
	done := make(chan struct{})
	go func() {
		s.working.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.abort(errDraining)
		<-done
	}
}

// Close drains the server without waiting for answers, and frees the models.
func (s *Server) Close() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	s.Drain(ended)
	s.abort(errDraining)
	_ = s.closeModels()
}

// draining reports whether nothing new is accepted.
func (s *Server) draining() bool {
	select {
	case <-s.drained:
		return true
	default:
		return false
	}
}

// untilDrained returns a context that ends with ctx, or when the server drains: for what
// would go on for ever.
func (s *Server) untilDrained(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-s.drained:
			cancel(errDraining)
		case <-ctx.Done():
			cancel(nil)
		}
	}()
	return ctx
}

// A handler answers a request, or returns why not.
type handler func(w http.ResponseWriter, r *http.Request) error

// route sets up the routes.
func (s *Server) route() {
	s.mux = http.NewServeMux()
	s.open("GET /{$}", plain, s.showPage)
	s.open("GET /health", plain, s.health)
	s.open("GET /openapi.json", plain, s.showOpenAPI)
	s.handle("GET /metrics", plain, s.showMetrics)
	s.handle("GET /models", openAI, s.listModels)
	s.handle("GET /models/{model}/averages", openAI, s.showAverages)
	s.handle("POST /models/{model}/stream", embeddingsInference, s.classStream)
	s.handle("GET /runs", openAI, s.listRuns)
	s.handle("GET /runs/{run}", openAI, s.showRun)
	s.handle("GET /runs/{run}/events", openAI, s.runEvents)

	s.handle("GET /v1/models", openAI, s.listOpenAIModels)
	s.handle("GET /v1/models/{model}", openAI, s.showOpenAIModel)
	s.handle("POST /v1/completions", openAI, s.completions)
	s.handle("POST /tokenize", openAI, s.tokenize)
	s.handle("POST /detokenize", openAI, s.detokenize)

	s.handle("POST /predict", embeddingsInference, s.predict)

	s.handle("GET /v2", plain, s.kserveServer)
	s.open("GET /v2/health/live", plain, s.kserveLive)
	s.open("GET /v2/health/ready", plain, s.kserveReady)
	s.handle("GET /v2/models/{model}", plain, s.kserveModel)
	s.handle("GET /v2/models/{model}/ready", plain, s.kserveModelReady)
	s.handle("POST /v2/models/{model}/infer", plain, s.kserveInfer)

	s.handle("POST /translate", plain, s.translate)
	s.handle("GET /languages", plain, s.languages)

	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeFailure(w, openAI, &failure{status: http.StatusNotFound, message: fmt.Sprintf("there is no %s %s; /openapi.json lists what there is", r.Method, clip(r.URL.Path))})
	})
}

// open adds a route that needs no key.
func (s *Server) open(pattern string, d dialect, h handler) { s.add(pattern, d, h, false) }

// handle adds a route that needs a key, if there is one.
func (s *Server) handle(pattern string, d dialect, h handler) { s.add(pattern, d, h, true) }

func (s *Server) add(pattern string, d dialect, h handler, needsKey bool) {
	s.routes = append(s.routes, pattern)
	method, path, _ := strings.Cut(pattern, " ")
	answer := func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, r, pattern, d, func(w http.ResponseWriter, r *http.Request) error {
			if needsKey && !s.allowed(r) {
				return &failure{status: http.StatusUnauthorized, message: "the API key is missing or wrong: want Authorization: Bearer KEY"}
			}
			return h(w, r)
		})
	}
	s.mux.HandleFunc(pattern, answer)
	other := "GET"
	if method == "GET" {
		other = "POST"
	}
	if !slices.Contains(s.routes, other+" "+path) { // in the protocol's shape, not ServeMux's
		s.mux.HandleFunc(other+" "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", method)
			writeFailure(w, d, &failure{status: http.StatusMethodNotAllowed, message: fmt.Sprintf("%s takes %s, not %s", path, method, r.Method)})
		})
	}
}

// allowed reports whether a request has a key.
func (s *Server) allowed(r *http.Request) bool {
	if len(s.keys) == 0 {
		return true
	}
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	sum, found := sha256.Sum256([]byte(key)), 0
	for _, k := range s.keys {
		found |= subtle.ConstantTimeCompare(sum[:], k[:])
	}
	return ok && found == 1
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if s.crossOrigin(w, r) {
		return
	}
	s.mux.ServeHTTP(&recorder{ResponseWriter: w, status: http.StatusOK}, r)
}

// crossOrigin answers the questions of browsers about pages of other servers, and
// reports whether that is all.
func (s *Server) crossOrigin(w http.ResponseWriter, r *http.Request) (answered bool) {
	origin := r.Header.Get("Origin")
	if origin == "" || len(s.options.Origins) == 0 {
		return false
	}
	w.Header().Add("Vary", "Origin")
	if !slices.Contains(s.options.Origins, origin) && !slices.Contains(s.options.Origins, "*") {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID")
	w.Header().Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// endless are routes whose answers may go on for as long as the client wants.
var endless = []string{"POST /models/{model}/stream", "GET /runs/{run}/events"}

// answer answers one request by h, whose errors it tells in the route's dialect.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, route string, d dialect, h handler) {
	probe := strings.HasPrefix(route, "GET /health") || strings.HasPrefix(route, "GET /v2/health") || route == "GET /metrics"
	if !s.begin(probe) {
		writeFailure(w, d, errDraining)
		return
	}
	defer s.working.Done()
	s.metrics.inFlight.Add(1)
	defer s.metrics.inFlight.Add(-1)
	start := time.Now()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.base, func() { cancel(errDraining) })()
	if !slices.Contains(endless, route) {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, s.options.MaxTime, errTime)
		defer stop()
		r.Body = http.MaxBytesReader(w, r.Body, s.options.MaxBody)
	}
	body := &patientBody{ReadCloser: r.Body, rc: http.NewResponseController(w)}
	if r.Body = body; !slices.Contains(endless, route) {
		body.until = start.Add(s.options.MaxTime)
	}
	out := w.(*recorder) // of ServeHTTP
	if err := h(out, r.WithContext(ctx)); err != nil && !out.written {
		writeFailure(out, d, asFailure(err))
	}
	s.metrics.request(route, out.status, time.Since(start))
}

// begin notes that a request is being answered, unless the server drains.
func (s *Server) begin(always bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining() && !always {
		return false
	}
	s.working.Add(1)
	return true
}

// patience is how long a client may do nothing while it is to send or to take
// something.
const patience = 30 * time.Second

// A patientBody is a body that may come slowly, as long as something comes.
type patientBody struct {
	io.ReadCloser
	rc    *http.ResponseController
	until time.Time // when all must be there; zero for never
}

func (b *patientBody) Read(p []byte) (int, error) {
	deadline := time.Now().Add(patience)
	if !b.until.IsZero() && b.until.Before(deadline) {
		deadline = b.until
	}
	_ = b.rc.SetReadDeadline(deadline) // other servers' writers may have none
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		_ = b.rc.SetReadDeadline(time.Time{}) // or it would end the request that is being answered
	}
	return n, err
}

// A recorder remembers the status of an answer, and waits for a client to take it only
// so long.
type recorder struct {
	http.ResponseWriter
	status  int
	written bool
}

func (r *recorder) WriteHeader(status int) {
	if !r.written {
		r.status, r.written = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.written = true
	r.expectProgress()
	return r.ResponseWriter.Write(b)
}

// FlushError sends what was written.
func (r *recorder) FlushError() error {
	r.expectProgress()
	return http.NewResponseController(r.ResponseWriter).Flush()
}

func (r *recorder) expectProgress() {
	_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(time.Now().Add(patience))
}

// Unwrap lets http.ResponseController find the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// The kinds of models that requests are for.
type kind struct {
	noun string
	is   func(*loaded) bool
}

var (
	textKind       = kind{"language model", func(l *loaded) bool { return l.text != nil }}
	classifierKind = kind{"classifier", func(l *loaded) bool { return l.classes != nil }}
	translatorKind = kind{"translator", func(l *loaded) bool { return l.translation != nil }}
	anyKind        = kind{"model", func(*loaded) bool { return true }}
)

// use returns the model that a request names, which stays until release; without a name
// the only one of the kind.
func (s *Server) use(name string, k kind) (*loaded, error) {
	var names []string
	var only *slot
	for _, m := range s.slots {
		l := m.acquire()
		fits := k.is(l)
		if m.ID == name && fits {
			return l, nil
		}
		l.release()
		if m.ID == name {
			return nil, &failure{status: http.StatusBadRequest, param: "model", message: fmt.Sprintf("%s is no %s, but of %s", name, k.noun, l.info.Kind)}
		}
		if fits {
			names, only = append(names, m.ID), m
		}
	}
	switch {
	case name != "":
		return nil, &failure{status: http.StatusNotFound, param: "model", message: fmt.Sprintf("there is no model %q; those of the kind are: %s", clip(name), strings.Join(names, ", "))}
	case len(names) == 1:
		return only.acquire(), nil
	case len(names) == 0:
		return nil, &failure{status: http.StatusNotFound, param: "model", message: "the server has no " + k.noun}
	}
	return nil, &failure{status: http.StatusBadRequest, param: "model", message: "no model is named; there are: " + strings.Join(names, ", ")}
}

// pagePolicy lets the page load nothing from elsewhere.
const pagePolicy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (s *Server) showPage(w http.ResponseWriter, r *http.Request) error {
	if s.options.Page == nil {
		return &failure{status: http.StatusNotFound, message: "the server has no page; /openapi.json lists what there is"}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.options.Page))
	return nil
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) error {
	if s.draining() {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "draining"})
		return nil
	}
	out := struct {
		Status string `json:"status"`
		Stale  int    `json:"stale,omitempty"` // models whose newest checkpoint cannot be loaded; names need a key
	}{Status: "ok"}
	for _, m := range s.slots {
		if m.isStale() {
			out.Stale++
		}
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) listModels(w http.ResponseWriter, r *http.Request) error {
	out := []modelInfo{}
	for _, m := range s.slots {
		l := m.acquire()
		out = append(out, l.info)
		l.release()
	}
	writeJSON(w, http.StatusOK, map[string]any{"models": out})
	return nil
}

func (s *Server) showAverages(w http.ResponseWriter, r *http.Request) error {
	l, err := s.use(r.PathValue("model"), anyKind)
	if err != nil {
		return err
	}
	defer l.release()
	writeJSON(w, http.StatusOK, map[string]any{"layers": append([]averages{}, l.layers...)})
	return nil
}

// openAIModel is a model as OpenAI lists it.
type openAIModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	Kind    string `json:"kind"`
}

func (m *slot) openAI() openAIModel {
	l := m.acquire()
	defer l.release()
	return openAIModel{m.ID, "model", m.created.Unix(), "mega", l.info.Kind}
}

func (s *Server) listOpenAIModels(w http.ResponseWriter, r *http.Request) error {
	out := []openAIModel{}
	for _, m := range s.slots {
		out = append(out, m.openAI())
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": out})
	return nil
}

func (s *Server) showOpenAIModel(w http.ResponseWriter, r *http.Request) error {
	for _, m := range s.slots {
		if m.ID == r.PathValue("model") {
			writeJSON(w, http.StatusOK, m.openAI())
			return nil
		}
	}
	return &failure{status: http.StatusNotFound, param: "model", message: fmt.Sprintf("there is no model %q", clip(r.PathValue("model")))}
}
