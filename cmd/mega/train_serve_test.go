package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A watched buffer tells when a pattern is first in it.
type watched struct {
	mutex   sync.Mutex
	buffer  bytes.Buffer
	pattern *regexp.Regexp
	found   chan string // one
}

func (w *watched) Write(p []byte) (int, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	n, err := w.buffer.Write(p)
	if m := w.pattern.FindString(w.buffer.String()); m != "" {
		select {
		case w.found <- m:
		default:
		}
	}
	return n, err
}

func getText(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %v", url, answer.Status, err)
	}
	return string(text)
}

// A training with --serve shows its records while it goes on, and its end ends those who
// still listen.
func TestTrainServe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tiny")
	args := tiny(dir, "--max-update", "1000000", "--save-interval", "1000000", "--disable-validation", "--workers", "1", "--serve=127.0.0.1:0")
	stderr := &watched{pattern: regexp.MustCompile(`http://127\.0\.0\.1:\d+`), found: make(chan string, 1)}
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() { ended <- run(ctx, args, strings.NewReader(""), io.Discard, stderr) }()
	var url string
	select {
	case url = <-stderr.found:
	case status := <-ended:
		t.Fatalf("status %d: %s", status, stderr.buffer.String())
	}
	if page := getText(t, url); !strings.Contains(page, "<title>Mega</title>") {
		t.Errorf("the page begins %.80q", page)
	}
	var list struct {
		Runs []struct {
			Name    string
			Updates int
		}
	}
	for deadline := time.Now().Add(time.Minute); len(list.Runs) == 0 || list.Runs[0].Updates < 8; time.Sleep(10 * time.Millisecond) {
		if err := json.Unmarshal([]byte(getText(t, url+"/runs")), &list); err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", list, err)
		}
	}
	if len(list.Runs) != 1 || list.Runs[0].Name != "tiny" {
		t.Errorf("the runs are %+v", list.Runs)
	}
	events, err := http.Get(url + "/runs/tiny/events")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	interrupt()
	if status := <-ended; status != exitInterrupted {
		t.Errorf("status %d", status)
	}
	if text, _ := io.ReadAll(events.Body); !strings.Contains(string(text), `"update":8`) {
		t.Errorf("the events are %q", text)
	}
}

// An address that is taken or none at all is found before anything is trained.
func TestTrainServeAddress(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "127.0.0.1:99999"} {
		status, _, stderr := command(t, tiny(filepath.Join(t.TempDir(), "run"), "--serve="+address)...)
		if status != exitUsage || !strings.Contains(stderr, "--serve: ") || strings.Contains(stderr, "update 4") {
			t.Errorf("%s: status %d: %s", address, status, stderr)
		}
	}
}
