package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type inner struct {
	Depth int `json:"depth"`
}

type example struct {
	inner
	Name  string     `json:"name,omitempty"`
	Seed  uint64     `json:"seed"`
	Rate  float64    `json:"rate"`
	On    bool       `json:"on"`
	Pair  [2]float64 `json:"pair"`
	Sub   *inner     `json:"sub"`
	Skip  int        `json:"-"`
	Words []string   `json:"words"`
}

// TestErrors decodes what is wrong in one way: the error names the key and says
// what would be right, without a type of Go.
func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{"depth": "two"}`:        "depth is a string, want a whole number below 2^63",
		`{"depth": 1.5}`:          "depth is 1.5, want a whole number below 2^63",
		`{"depth": 1e300}`:        "depth is 1e300, want a whole number below 2^63",
		`{"seed": -1}`:            "seed is -1, want a whole number from 0 to 2^64-1",
		`{"rate": []}`:            "rate is a list, want a number",
		`{"on": {}}`:              "on is an object, want true or false",
		`{"name": true}`:          "name is true or false, want a string",
		`{"sub": {"depth": "x"}}`: "sub.depth is a string, want a whole number below 2^63",
		`{"pair": {}}`:            "pair is an object, want a list",
		`{"words": 1}`:            "words is a number, want a list",
		`[]`:                      "the value is a list, want an object",
		``:                        "the JSON text ends at byte 0, within a value: is it cut off?",
		`{"depth": 1`:             "the JSON text ends at byte 11, within a value: is it cut off?",
		`{depth: 1}`:              "not JSON at byte 2: ",
		`{} {}`:                   "more than one JSON value",
		`{"dept": 1}`:             `unknown key "dept", did you mean "depth"?`,
		`{"zzz": 1, "skip": 2}`:   `unknown key "skip"; unknown key "zzz"`,
	} {
		err := Strict([]byte(text), &example{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "Go ") {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{
		`{"depth": 3, "pair": [1, 2], "name": "a\\\", \"x\": 1"}`, `{"sub": {"x": [{"y": 1}]}, "dep\u0074h": 3, "pair": [0, 2]}`,
	} {
		var e example
		if err := Strict([]byte(text), &e); err != nil || e.Depth != 3 || e.Pair[1] != 2 {
			t.Errorf("%s: %v, %+v", text, err, e)
		}
	}
	if err := Strict([]byte("null"), &example{}); err != nil {
		t.Error(err)
	}
}

// TestReadFile reads what is no small regular file.
func TestReadFile(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large.json")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, MaxFile+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		large:       "want at most 16777216",
		os.DevNull:  "not a regular file",
		t.TempDir(): "not a regular file",
	} {
		err := ReadFile(path, &example{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %s", path, err, want)
		}
	}
	if err := ReadFile(filepath.Join(t.TempDir(), "none"), &example{}); !os.IsNotExist(err) {
		t.Errorf("error %v, want one that says that there is no such file", err)
	}
}
