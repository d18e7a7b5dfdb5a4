package train

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestRecordRoundTrip(t *testing.T) {
	r := Record{KindValid, 2, 30, Metrics{"loss": 1.0 / 3, "ppl": math.Inf(1)}}
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"kind":"valid","epoch":2,"update":30,"loss":0.3333333333333333,"ppl":null}`; string(line) != want {
		t.Errorf("got %s, want %s", line, want)
	}
	var back Record
	if err := json.Unmarshal(line, &back); err != nil {
		t.Fatal(err)
	}
	if back.Kind != r.Kind || back.Epoch != 2 || back.Update != 30 || back.Metrics["loss"] != r.Metrics["loss"] || !math.IsNaN(back.Metrics["ppl"]) {
		t.Errorf("got %+v", back)
	}
}

func TestTruncateRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), metricsFile)
	if err := truncateRecords(path, 3); err != nil {
		t.Errorf("without a file: %v", err)
	}
	line := func(update string) string {
		return `{"kind":"train","epoch":1,"update":` + update + `,"loss":0.5}` + "\n"
	}
	if err := os.WriteFile(path, []byte(line("1")+line("3")+line("4")+`{"kind":"tra`), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := truncateRecords(path, 3); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != line("1")+line("3") {
		t.Errorf("left %q, %v", got, err)
	}
}

func TestReadRecordsErrors(t *testing.T) {
	for text, want := range map[string]string{
		"{}\n": ":1: a record has no ",
		"[]\n": ":1: the value is a list, want an object",
		`{"kind":"a","epoch":1,"update":1,"loss":"x"}` + "\n": ":1: loss: the value is a string, want a number",
	} {
		path := filepath.Join(t.TempDir(), metricsFile)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadRecords(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestMetricsKeepNaN(t *testing.T) {
	text, err := json.Marshal(struct{ M Metrics }{Metrics{"a": math.NaN(), "b": 2}})
	if err != nil {
		t.Fatal(err)
	}
	var back struct{ M Metrics }
	if err := json.Unmarshal(text, &back); err != nil || !math.IsNaN(back.M["a"]) || back.M["b"] != 2 {
		t.Errorf("%s gives %v, %v", text, back, err)
	}
	if err := json.Unmarshal([]byte(`{"M":null}`), &back); err != nil || back.M != nil {
		t.Errorf("null gives %v, %v", back, err)
	}
}

func TestParseState(t *testing.T) {
	for text, want := range map[string]string{
		`{"format":2,"epoch":1}`:             "format is 2, want 1",
		`{"format":1,"epoch":0}`:             "are impossible",
		`{"format":1,"epoch":1,"offset":-1}`: "are impossible",
		`[`:                                  "is it cut off?",
		`{"format":1,"epoch":1,"checkpoints":[{"name":"checkpoint1","directory":"update_1/.."}]}`: `"update_1/.." is not`,
		`{"format":1,"epoch":1,"checkpoints":[{"name":"latest","directory":"update_1"}]}`:         `"latest" is not`,
	} {
		if _, err := parseState([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// FuzzRecord reads any line without harm, and what it reads it writes and reads
// again as the same.
func FuzzRecord(f *testing.F) {
	f.Add(`{"kind":"valid","epoch":2,"update":30,"loss":0.5,"ppl":null}`)
	f.Add(`{"kind":1}`)
	f.Fuzz(func(t *testing.T, line string) {
		var r, again Record
		if json.Unmarshal([]byte(line), &r) != nil {
			return
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(r, again, cmpopts.EquateNaNs()) {
			t.Errorf("%+v became %+v", r, again)
		}
	})
}
