//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestServeSIGTERM: a server that is told to end while clients wait answers all of them,
// says meanwhile that it is not ready, and ends with status 0.
func TestServeSIGTERM(t *testing.T) {
	t.Parallel()
	model := golden("lm_enwik8")
	child := exec.Command(os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), childArgs+"="+strings.Join([]string{
		"serve", "text=" + model, "--data", filepath.Join(model, "text"), "--address", "127.0.0.1:0", "--drain", "60"}, "\n"))
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "serving at ")
	if !ok {
		t.Fatalf("it says %q: %v", line, err)
	}
	const clients, tokens = 16, 4000
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			body := fmt.Sprintf(`{"prompt":"a","max_tokens":%d,"min_tokens":%[1]d,"seed":%d}`, tokens, i)
			r, err := client.Post(url+"/v1/completions", "application/json", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			var c struct {
				Usage struct {
					Tokens int `json:"completion_tokens"`
				}
			}
			if err := json.NewDecoder(r.Body).Decode(&c); err != nil || r.StatusCode != http.StatusOK || c.Usage.Tokens != tokens {
				t.Errorf("client %d: %s, %d tokens, %v", i, r.Status, c.Usage.Tokens, err)
			}
		})
	}
	accepted := fmt.Sprintf("mega_requests_in_flight %d\n", clients+1) // and this one
	for deadline := time.Now().Add(time.Minute); !strings.Contains(getText(t, url+"/metrics"), accepted); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not all clients are there after a minute")
		}
	}
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for ready := true; ready; {
		r, err := client.Get(url + "/health")
		if err != nil {
			t.Fatalf("while it drains: %v", err)
		}
		ready = r.StatusCode == http.StatusOK
		r.Body.Close()
	}
	all.Wait()
	if err := child.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
