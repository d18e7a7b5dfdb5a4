package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestClientsThatLeave: hundreds of clients that leave at random stop the work that
// was for them, and leave nothing behind.
func TestClientsThatLeave(t *testing.T) {
	if _, err := randomText(t).Model.NewSession().Step(5); err != nil { // the workers that compute stay for good
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	s, err := New(Options{Reload: -1, Queue: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	s.addText("text", randomText(t))
	s.addClassifier("class", textClassifier(t))
	web := serveOn(t, s)
	client := &http.Client{Transport: &http.Transport{}}
	var all sync.WaitGroup
	const clients = 500
	for i := range clients {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.IntN(300))*time.Millisecond)
			defer cancel()
			path, body := "/v1/completions", fmt.Sprintf(`{"prompt":%s,"max_tokens":60000,"stream":%t}`, quoted(strings.Repeat("a", rng.IntN(5000))), i%2 == 0)
			if i%5 == 0 {
				path, body = "/predict", `{"inputs":["a","b","c"]}`
			}
			r, err := http.NewRequestWithContext(ctx, "POST", web.URL+path, strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Content-Type", "application/json")
			if a, err := client.Do(r); err == nil {
				_, _ = io.Copy(io.Discard, a.Body)
				a.Body.Close()
			}
		})
	}
	all.Wait()
	engine := s.slots[0].current.text
	for range 200 {
		if engine.busy.Load() == 0 && engine.queued() == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if busy, waiting := engine.busy.Load(), engine.queued(); busy > 0 || waiting > 0 {
		t.Errorf("%d texts are made and %d prompts wait, for nobody", busy, waiting)
	}
	made := engine.made.Load()
	if c := post[completion](t, s, "/v1/completions", `{"prompt":"a","max_tokens":5,"min_tokens":5}`); c.Usage.CompletionTokens != 5 {
		t.Errorf("afterwards: %+v", c)
	}
	if n := engine.made.Load() - made; n != 5 {
		t.Errorf("%d tokens were made where 5 were asked for", n)
	}
	client.CloseIdleConnections()
	web.Close()
	s.Close()
	atRest(t, before)
}

// TestFullQueue: what does not fit is refused at once with 429, and Retry-After.
func TestFullQueue(t *testing.T) {
	s := newServer(t, Options{Rows: 1, Queue: 2})
	s.addText("text", randomText(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	engine := s.slots[0].current.text
	for waiting := range 3 { // the first is being answered before the others wait
		r, err := http.NewRequestWithContext(ctx, "POST", "/v1/completions", strings.NewReader(`{"prompt":"a","max_tokens":65536,"min_tokens":65536}`))
		if err != nil {
			t.Fatal(err)
		}
		go s.ServeHTTP(discarding{http.Header{}}, r)
		for engine.busy.Load() < 1 || engine.queued() < waiting {
			time.Sleep(time.Millisecond)
		}
	}
	for path, want := range map[string]string{"/v1/completions": `"type":"rate_limit_error"`} {
		status, answer, header := ask(t, s, "POST", path, "application/json", []byte(`{"prompt":"a"}`))
		if status != 429 || header.Get("Retry-After") != "1" || !strings.Contains(string(answer), want) {
			t.Errorf("%d %s %v", status, answer, header)
		}
	}
}

// discarding is a writer of answers that nobody reads.
type discarding struct{ header http.Header }

func (d discarding) Header() http.Header         { return d.header }
func (d discarding) Write(b []byte) (int, error) { return len(b), nil }
func (d discarding) WriteHeader(int)             {}

// TestDrain: at the end everything that was accepted is answered, what comes later is
// refused, and the server says that it is not ready.
func TestDrain(t *testing.T) {
	s, err := New(Options{Reload: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.addText("text", randomText(t))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, time.Minute) }()
	url := "http://" + l.Addr().String()
	engine := s.slots[0].current.text
	engine.mu.Lock() // so that none is answered before all are accepted
	const clients = 30
	var answered atomic.Int64
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			body := fmt.Sprintf(`{"prompt":"a","max_tokens":200,"min_tokens":200,"seed":%d}`, i)
			r, err := http.Post(url+"/v1/completions", "application/json", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			var c completion
			if err := json.NewDecoder(r.Body).Decode(&c); err != nil || r.StatusCode != 200 || c.Usage.CompletionTokens != 200 {
				t.Errorf("%d %v %+v", r.StatusCode, err, c)
			}
			answered.Add(1)
		})
	}
	for s.metrics.inFlight.Load() < clients {
		time.Sleep(time.Millisecond)
	}
	stop()
	for !s.draining() {
		time.Sleep(time.Millisecond)
	}
	if status, answer, header := ask(t, s, "POST", "/v1/completions", "application/json", []byte(`{"prompt":"a"}`)); status != 503 || header.Get("Retry-After") == "" {
		t.Errorf("while draining: %d %s", status, answer)
	}
	if status, _, _ := ask(t, s, "GET", "/health", "", nil); status != 503 {
		t.Errorf("health while draining: %d", status)
	}
	engine.mu.Unlock()
	all.Wait()
	if err := <-ended; err != nil || answered.Load() != clients {
		t.Errorf("%d of %d answered: %v", answered.Load(), clients, err)
	}
	s.Close()
}

// TestAbort: what is not done when the time to drain is over fails with a reason.
func TestAbort(t *testing.T) {
	s, err := New(Options{Reload: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.addText("text", randomText(t))
	done := make(chan string, 1)
	go func() {
		_, answer, _ := ask(t, s, "POST", "/v1/completions", "application/json", []byte(`{"prompt":"a","max_tokens":65536,"min_tokens":65536}`))
		done <- string(answer)
	}()
	for s.slots[0].current.text.made.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	s.Close()
	if answer := <-done; !strings.Contains(answer, "the server is shutting down") {
		t.Errorf("%s", answer)
	}
}

// TestTimeLimit: an answer that takes too long is 503.
func TestTimeLimit(t *testing.T) {
	s := newServer(t, Options{MaxTime: 50 * time.Millisecond})
	s.addText("text", randomText(t))
	if status, answer, _ := ask(t, s, "POST", "/v1/completions", "application/json", []byte(`{"prompt":"a","max_tokens":65536,"min_tokens":65536}`)); status != 503 || !strings.Contains(string(answer), "longer than a request may take") {
		t.Errorf("%d %s", status, answer)
	}
}

// TestSlowReader: clients that do not read, and connections on which a request is begun
// and not ended, hold up nobody, and leave nothing behind when they are gone.
func TestSlowReader(t *testing.T) {
	if _, err := randomText(t).Model.NewSession().Step(5); err != nil { // the workers that compute stay for good
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	s, err := New(Options{Reload: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.addText("text", randomText(t))
	web := serveOn(t, s)
	const slow = `{"prompt":"a","max_tokens":3000,"min_tokens":3000,"stream":true,"logprobs":20}`
	var open []net.Conn
	for _, sent := range []string{
		fmt.Sprintf("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(slow), slow),
		"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
		"POST /models/text/stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc",
		"POST /v1/compl", "",
	} {
		for range 20 {
			c, err := net.Dial("tcp", strings.TrimPrefix(web.URL, "http://"))
			if err == nil {
				_, err = io.WriteString(c, sent)
			}
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
		}
	}
	for range 3 {
		r := mustPost(t, web, "/v1/completions", `{"prompt":"b","max_tokens":20,"min_tokens":20}`)
		if text := readAll(t, r.Body); r.StatusCode != 200 {
			t.Errorf("%d %s", r.StatusCode, text)
		}
		r.Body.Close()
	}
	for _, c := range open {
		c.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	web.Close()
	s.Close()
	atRest(t, before)
}

// TestReload: a checkpoint that is replaced while requests are answered drops none, and
// the new weights answer. One that cannot be read leaves the old ones in place.
func TestReload(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	replace := func(name string) {
		next := dir + ".next"
		if err := os.CopyFS(next, os.DirFS(golden(name))); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, dir); err != nil {
			t.Fatal(err)
		}
	}
	replace("lra_image")
	s := newServer(t, Options{Models: []Model{{ID: "m", Path: dir}}, Reload: 20 * time.Millisecond})
	file := picture(t, 16, 16)
	answer := func() string {
		status, answer, _ := ask(t, s, "POST", "/predict", "image/png", file)
		if status != 200 {
			t.Errorf("%d %s", status, answer)
		}
		return string(answer)
	}
	first := answer()
	var stop atomic.Bool
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for !stop.Load() {
				answer()
			}
		})
	}
	replace("imagenet") // another kind altogether
	for deadline := time.Now().Add(20 * time.Second); answer() == first && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	stop.Store(true)
	all.Wait()
	second := answer()
	if second == first {
		t.Error("the old model still answers")
	}
	if err := os.WriteFile(filepath.Join(dir, "args.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if answer() != second {
		t.Error("a broken checkpoint took the model's place")
	}
}

// TestHostileFiles: images and recordings that lie about their size are refused.
func TestHostileFiles(t *testing.T) {
	s, _ := classifiers(t)
	huge := picture(t, 4, 4)
	copy(huge[16:], []byte{0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff}) // width and height
	long := wav(t, 8000, make([]float32, 10))
	copy(long[40:], []byte{0xff, 0xff, 0xff, 0x7f})
	wide := wav(t, 8000, make([]float32, 10))
	copy(wide[22:], []byte{0xff, 0xff})
	for name, c := range map[string]struct {
		model string
		body  []byte
	}{
		"a huge image": {"grey", huge}, "a cut image": {"grey", picture(t, 16, 16)[:60]}, "no image": {"grey", []byte("GIF89a")}, "an empty image": {"grey", nil},
		"many channels": {"sound", wide}, "no sound": {"sound", []byte("RIFF")}, "cut sound": {"sound", long[:30]}, "empty text": {"text", nil},
	} {
		status, answer, _ := ask(t, s, "POST", "/predict?model="+c.model, "application/octet-stream", c.body)
		if status != 400 || !bytes.Contains(answer, []byte(`"error_type":"validation"`)) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

// FuzzRequests: no body brings the server down, or gets an answer that is not JSON.
func FuzzRequests(f *testing.F) {
	paths := []string{"/v1/completions", "/tokenize", "/detokenize", "/predict", "/v2/models/text/infer", "/v2/models/class/infer", "/translate"}
	for i, body := range []string{
		`{"model":"text","prompt":["a",""],"max_tokens":3,"n":2,"logprobs":2,"echo":true,"stop":["a"]}`, `{"content":"a","with_pieces":true}`, `{"tokens":[4,5]}`,
		`{"inputs":[["a"],{"text":"b"}],"truncate":true}`, `{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["a"]}],"parameters":{"max_tokens":2}}`,
		`{"inputs":[{"name":"tokens","shape":[1,2],"datatype":"INT32","data":[[4,5]]}]}`, `{"q":["a"],"source":"en","target":"de"}`,
		`{"prompt":[[4]],"max_tokens":1,"stream":true,"return_state":true}`,
	} {
		f.Add(i%len(paths), body)
	}
	s := newServer(f, Options{MaxTokens: 8, MaxTime: 5 * time.Second})
	s.addText("text", randomText(f))
	s.addClassifier("class", textClassifier(f))
	f.Fuzz(func(t *testing.T, path int, body string) {
		status, answer, header := ask(t, s, "POST", paths[(path%len(paths)+len(paths))%len(paths)], "application/json", []byte(body))
		if status >= 500 && status != 503 {
			t.Errorf("%d %s", status, answer)
		}
		if header.Get("Content-Type") == "application/json" && !json.Valid(answer) {
			t.Errorf("no JSON: %s", answer)
		}
	})
}
