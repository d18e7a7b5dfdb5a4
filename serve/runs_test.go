package serve

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega/train"
)

// TestRuns: the runs of a directory, what they have measured, and what they measure
// while one looks.
func TestRuns(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a run", "metrics.jsonl")
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	line := func(update string) string {
		return `{"kind":"train","epoch":1,"update":` + update + `,"loss":2.5,"lr":null}` + "\n"
	}
	if err := os.WriteFile(file, []byte(line("10")+line("20")+`{"kind":`), 0o666); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, Options{Runs: []string{dir, filepath.Join(dir, "not-yet")}})
	runs := get[struct{ Runs []runInfo }](t, s, "/runs").Runs
	if len(runs) != 2 || runs[0].Name != "a run" || runs[0].Updates != 20 || runs[1].Name != "not-yet" || runs[1].Updates != 0 {
		t.Fatalf("%+v", runs)
	}
	one := get[struct {
		Name    string
		Records []train.Record
	}](t, s, "/runs/a%20run")
	if one.Name != "a run" || len(one.Records) != 2 || one.Records[1].Update != 20 || one.Records[0].Metrics["loss"] != 2.5 {
		t.Errorf("%+v", one)
	}
	web := serveOn(t, s)
	r, err := http.Get(web.URL + "/runs/a%20run/events?from=1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	events := bufio.NewScanner(r.Body)
	expect := func(want ...string) {
		t.Helper()
		for _, w := range want {
			for events.Scan() && (events.Text() == "" || strings.HasPrefix(events.Text(), ":")) {
			}
			if events.Text() != w {
				t.Fatalf("%q, want %q", events.Text(), w)
			}
		}
	}
	expect("event: record", "id: 1", "data: "+strings.TrimSpace(line("20")))
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`"valid","epoch":1,"update":20}` + "\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	expect("event: record", "id: 2", `data: {"kind":"valid","epoch":1,"update":20}`)
	if err := os.WriteFile(file+".new", []byte(line("5")), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	expect("event: reset", "data: {}", "event: record", "id: 0", "data: "+strings.TrimSpace(line("5")))
	for _, path := range []string{"/runs/..", "/runs/%2e%2e%2f", "/runs/..%2f..%2fetc"} {
		if status, _, _ := ask(t, s, "GET", path, "", nil); status == 200 {
			t.Errorf("%s is answered", path)
		}
	}
}
