package literal

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{'data': 'x', "beam": 4}`:     `{"data":"x","beam":4}`,
		`{}`:                           `{}`,
		`(0.9, 0.98)`:                  `[0.9,0.98]`,
		`0.1,0.2`:                      `[0.1,0.2]`,
		`4,`:                           `[4]`,
		`(4)`:                          `4`,
		`(4,)`:                         `[4]`,
		`()`:                           `[]`,
		` [1 , [2,3], (), ] `:          `[1,[2,3],[]]`,
		`True`:                         `true`,
		`[False, None, true, null]`:    `[false,null,true,null]`,
		`-1e-7`:                        `-1e-7`,
		`+.5`:                          `0.5`,
		`5.`:                           `5`,
		`-007`:                         `-7`,
		`00`:                           `0`,
		`9223372036854775807`:          `9223372036854775807`,
		`{'a': {'b': (1, 'c\'d"')}, }`: `{"a":{"b":[1,"c'd\""]}}`,
		`"\n\x41\u00e9\/"`:             `"\nAé/"`,
		`'@@ '`:                        `"@@ "`,
		`{"moses_target_lang": "de"}`:  `{"moses_target_lang":"de"}`,
		strings.Repeat("[", 50) + strings.Repeat("]", 50): strings.Repeat("[", 50) + strings.Repeat("]", 50),
	} {
		got, err := JSON(in)
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, want %s", in, got, err, want)
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	for in, want := range map[string]string{
		``:                        "character 1: want a value",
		`{'a' 1}`:                 `character 6: want a colon after the key "a"`,
		`{'a': 1 'b': 2}`:         "character 9: want a comma",
		`{a: 1}`:                  "character 2: want a key in quotes",
		`{'é': x}`:                `character 7: "x}" is no number`,
		`[1, 2`:                   "character 6: want a comma",
		`[1, `:                    "character 5: want a value",
		`(1`:                      "character 3: want a comma",
		`'abc`:                    "character 1: the text has no end",
		`'a\q'`:                   `character 3: "\\q'" is no character`,
		`1 2`:                     `character 3: the value has ended, and "2" follows`,
		`nan`:                     "no number",
		`1e999`:                   "no number",
		`-inf`:                    "no number",
		`__import__('os')`:        "character 1",
		strings.Repeat("[", 1000): "more than 100 levels",
	} {
		got, err := JSON(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s, %v, want an error with %q", in, got, err, want)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add(`{'a': (1, [2.5, True]), "b": None}`)
	f.Fuzz(func(t *testing.T, in string) {
		if out, err := JSON(in); err == nil && !json.Valid(out) {
			t.Errorf("%q became %q", in, out)
		}
	})
}

func TestUnmarshal(t *testing.T) {
	type options struct {
		Beam   int     `json:"beam"`
		LenPen float64 `json:"lenpen"`
		Detok  string  `json:"detok"`
	}
	var o options
	if err := Unmarshal("{'beam': 4, \"lenpen\": .6}", &o); err != nil || o != (options{Beam: 4, LenPen: 0.6}) {
		t.Errorf("%v, %v", o, err)
	}
	for in, want := range map[string]string{
		"{'beam': 'x'}":  "beam is a string, want a whole number",
		"{'beam': 2.5}":  "beam is a number 2.5, want a whole number",
		"{'detok': 1}":   "detok is a number, want a text in quotes",
		"{'beams': 1}":   `unknown field "beams"`,
		"[1]":            "it is an array, want a dictionary",
		"{'beam': 1, 2}": "character 13: want a key",
	} {
		if err := Unmarshal(in, &o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
}
