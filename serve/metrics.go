package serve

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// metrics counts requests. It is written in Prometheus's text format by hand: the format
// is three kinds of lines, and client_golang would bring eight modules into a binary
// that has none of them.
type metrics struct {
	inFlight atomic.Int64

	mu       sync.Mutex
	requests map[requestKey]int64
	times    map[string]*histogram // by route
	reloads  map[reloadKey]int64
}

type requestKey struct {
	route  string
	status int
}

type reloadKey struct {
	model string
	ok    bool
}

// bounds are the upper ends of a histogram's buckets, in seconds.
var bounds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}

// A histogram counts durations by their length.
type histogram struct {
	counts []int64 // as many as bounds, and one for what is longer
	sum    float64
}

func newMetrics() *metrics {
	return &metrics{requests: map[requestKey]int64{}, times: map[string]*histogram{}, reloads: map[reloadKey]int64{}}
}

// request counts a request that was answered.
func (m *metrics) request(route string, status int, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[requestKey{route, status}]++
	h := m.times[route]
	if h == nil {
		h = &histogram{counts: make([]int64, len(bounds)+1)}
		m.times[route] = h
	}
	at, _ := slices.BinarySearch(bounds, took.Seconds())
	h.counts[at]++
	h.sum += took.Seconds()
}

func (m *metrics) reload(model string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reloads[reloadKey{model, ok}]++
}

// metric begins a metric in the text format.
func metric(w io.Writer, name, kind, help string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// write writes the requests' metrics.
func (m *metrics) write(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	metric(w, "mega_requests_in_flight", "gauge", "Requests that are not answered yet.")
	fmt.Fprintf(w, "mega_requests_in_flight %d\n", m.inFlight.Load())
	metric(w, "mega_requests_total", "counter", "Requests that were answered, by route and status.")
	keys := slices.SortedFunc(maps.Keys(m.requests), func(a, b requestKey) int {
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
	for _, k := range keys {
		fmt.Fprintf(w, "mega_requests_total{route=%q,status=\"%d\"} %d\n", k.route, k.status, m.requests[k])
	}
	metric(w, "mega_request_seconds", "histogram", "How long requests took, by route.")
	for _, route := range slices.Sorted(maps.Keys(m.times)) {
		m.times[route].write(w, route)
	}
	metric(w, "mega_model_reloads_total", "counter", "Models that were loaded again because their checkpoint changed, or could not be.")
	reloads := slices.SortedFunc(maps.Keys(m.reloads), func(a, b reloadKey) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	for _, k := range reloads {
		fmt.Fprintf(w, "mega_model_reloads_total{model=%s,ok=\"%t\"} %d\n", label(k.model), k.ok, m.reloads[k])
	}
}

func (h *histogram) write(w io.Writer, route string) {
	total := int64(0)
	for i, n := range h.counts {
		total += n
		bound := "+Inf"
		if i < len(bounds) {
			bound = strconv.FormatFloat(bounds[i], 'g', -1, 64)
		}
		fmt.Fprintf(w, "mega_request_seconds_bucket{route=%q,le=%q} %d\n", route, bound, total)
	}
	fmt.Fprintf(w, "mega_request_seconds_sum{route=%q} %g\nmega_request_seconds_count{route=%q} %d\n", route, h.sum, route, total)
}

// label quotes the value of a label.
func label(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value) + `"`
}

// showMetrics answers in Prometheus's text format.
func (s *Server) showMetrics(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	var out strings.Builder
	s.metrics.write(&out)
	metric(&out, "mega_model_queue", "gauge", "Inputs that wait for a model.")
	metricOf(&out, s, "mega_model_queue", func(l *loaded) (int64, bool) { return int64(l.queued()), true })
	metric(&out, "mega_model_active", "gauge", "Texts or inputs that a model has side by side now.")
	metricOf(&out, s, "mega_model_active", func(l *loaded) (int64, bool) { return l.active(), true })
	metric(&out, "mega_model_stale", "gauge", "1 for a model whose checkpoint changed and cannot be loaded: the one before answers.")
	for _, m := range s.slots {
		stale := 0
		if m.isStale() {
			stale = 1
		}
		fmt.Fprintf(&out, "mega_model_stale{model=%s} %d\n", label(m.ID), stale)
	}
	text := func(of func(*textEngine) int64) func(*loaded) (int64, bool) {
		return func(l *loaded) (int64, bool) {
			if l.text == nil {
				return 0, false
			}
			return of(l.text), true
		}
	}
	metric(&out, "mega_state_bytes", "gauge", "Memory that the kept states of a language model take.")
	metricOf(&out, s, "mega_state_bytes", text(func(e *textEngine) int64 { return e.prefixes.used.Load() }))
	metric(&out, "mega_tokens_read", "gauge", "Tokens of prompts that were read since the model was loaded.")
	metricOf(&out, s, "mega_tokens_read", text(func(e *textEngine) int64 { return e.read.Load() }))
	metric(&out, "mega_tokens_found", "gauge", "Tokens of prompts that needed no reading, because the state after them was kept.")
	metricOf(&out, s, "mega_tokens_found", text(func(e *textEngine) int64 { return e.found.Load() }))
	metric(&out, "mega_tokens_made", "gauge", "Tokens that were made since the model was loaded.")
	metricOf(&out, s, "mega_tokens_made", text(func(e *textEngine) int64 { return e.made.Load() }))
	metric(&out, "go_goroutines", "gauge", "Goroutines.")
	fmt.Fprintf(&out, "go_goroutines %d\n", runtime.NumGoroutine())
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	metric(&out, "go_memstats_heap_inuse_bytes", "gauge", "Memory of the heap that is in use.")
	fmt.Fprintf(&out, "go_memstats_heap_inuse_bytes %d\n", memory.HeapInuse)
	_, err := io.WriteString(w, out.String())
	return err
}

// metricOf writes a number of each model that has it.
func metricOf(w io.Writer, s *Server, name string, of func(*loaded) (int64, bool)) {
	for _, slot := range s.slots {
		l := slot.acquire()
		if x, ok := of(l); ok {
			fmt.Fprintf(w, "%s{model=%s} %d\n", name, label(slot.ID), x)
		}
		l.release()
	}
}

// queued returns how many inputs wait.
func (l *loaded) queued() int {
	switch {
	case l.text != nil:
		return l.text.queued()
	case l.classes != nil:
		return l.classes.batches.queued()
	}
	return l.translation.batches.queued()
}

// active returns how many inputs are computed.
func (l *loaded) active() int64 {
	switch {
	case l.text != nil:
		return l.text.busy.Load()
	case l.classes != nil:
		return l.classes.batches.busy.Load()
	}
	return l.translation.batches.busy.Load()
}
