//go:build ignore

// Load asks a running mega serve the same things from many clients at once, and says how
// long answers took and whether any differed from the one that a client alone got.
//
//	go run scripts/load.go --clients 16 --seconds 60 \
//	    --path /v1/completions --body '{"prompt":"func","max_tokens":64,"seed":%d}'
//
// A %d in the body is the number of the request, of which there are --kinds different
// ones. Of a stream ("stream":true) the first event is timed too.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	url     = flag.String("url", "http://127.0.0.1:8080", "the server")
	path    = flag.String("path", "/v1/completions", "the route")
	body    = flag.String("body", `{"prompt":"func","max_tokens":64,"seed":%d}`, "what to send")
	clients = flag.Int("clients", 16, "clients at once")
	seconds = flag.Int("seconds", 10, "how long to ask")
	most    = flag.Int64("requests", 0, "how many requests to send at most; 0 for no limit")
	kinds   = flag.Int("kinds", 16, "different requests")
	kind    = flag.String("content-type", "application/json", "of the body")
)

// A sample is how long an answer took.
type sample struct{ first, total time.Duration }

func main() {
	flag.Parse()
	transport := &http.Transport{MaxIdleConnsPerHost: *clients}
	client := &http.Client{Transport: transport}
	want := make([]string, *kinds)
	for i := range want {
		text, _, err := ask(client, i)
		if err != nil {
			fmt.Fprintln(os.Stderr, "alone:", err)
			os.Exit(1)
		}
		want[i] = text
	}
	var sent, failed, different atomic.Int64
	var mu sync.Mutex
	var samples []sample
	start := time.Now()
	var all sync.WaitGroup
	for range *clients {
		all.Go(func() {
			for time.Since(start) < time.Duration(*seconds)*time.Second {
				n := sent.Add(1)
				if *most > 0 && n > *most {
					return
				}
				i := int(n) % *kinds
				text, s, err := ask(client, i)
				switch {
				case err != nil:
					if failed.Add(1) == 1 {
						fmt.Fprintln(os.Stderr, err)
					}
					continue
				case text != want[i]:
					different.Add(1)
				}
				mu.Lock()
				samples = append(samples, s)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	took := time.Since(start).Seconds()
	fmt.Printf("%d clients: %d answers in %.1f s, %.1f a second; %d errors, %d that differ\n", *clients, len(samples), took, float64(len(samples))/took, failed.Load(), different.Load())
	fmt.Println("first", percentiles(samples, func(s sample) time.Duration { return s.first }))
	fmt.Println("total", percentiles(samples, func(s sample) time.Duration { return s.total }))
	if failed.Load()+different.Load() > 0 {
		os.Exit(1)
	}
}

// ask sends request i and returns what of the answer must not differ.
func ask(client *http.Client, i int) (text string, s sample, err error) {
	start := time.Now()
	sent := strings.ReplaceAll(*body, "%d", fmt.Sprint(i))
	r, err := client.Post(*url+*path, *kind, strings.NewReader(sent))
	if err != nil {
		return "", s, err
	}
	defer r.Body.Close()
	var first [1]byte
	n, err := io.ReadFull(r.Body, first[:])
	if err != nil {
		return "", s, err
	}
	s.first = time.Since(start)
	rest, err := io.ReadAll(r.Body)
	s.total = time.Since(start)
	answer := append(first[:n:n], rest...)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", r.Status, answer)
	}
	return content(answer), s, err
}

// content returns the texts of completions, whole or as events, and other answers as
// they are: ids and times of completions differ.
func content(answer []byte) string {
	texts := map[int]string{}
	for line := range bytes.Lines(answer) {
		var c struct {
			Choices []struct {
				Index int
				Text  string
			}
		}
		if json.Unmarshal(bytes.TrimPrefix(line, []byte("data: ")), &c) == nil {
			for _, choice := range c.Choices {
				texts[choice.Index] += choice.Text
			}
		}
	}
	if len(texts) == 0 {
		return string(answer)
	}
	return fmt.Sprint(texts)
}

func percentiles(samples []sample, of func(sample) time.Duration) string {
	var all []time.Duration
	for _, s := range samples {
		all = append(all, of(s))
	}
	if len(all) == 0 {
		return "nothing"
	}
	slices.Sort(all)
	var out strings.Builder
	for _, p := range []int{50, 90, 99, 100} {
		fmt.Fprintf(&out, "  p%d %v", p, all[(len(all)-1)*p/100].Round(100*time.Microsecond))
	}
	return out.String()
}
