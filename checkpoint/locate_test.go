package checkpoint

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestLocate: relative paths that are not here are those of where the model was
// trained.
func TestLocate(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("here", 0o777); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{`{"data":"here"}`, `{"data":"here"}`},
		{`{"data":"gone","seed":1}`, `{"data":"/trained/gone","seed":1}`},
		{`{"data":"here:gone"}`, `{"data":"here:/trained/gone"}`},
		{`{"dict":"d.txt","text":"../t"}`, `{"dict":"/trained/d.txt","text":"/t"}`},
		{`{"data":"/abs","text":""}`, `{"data":"/abs","text":""}`},
	} {
		var want, got any
		if err := json.Unmarshal([]byte(c[1]), &want); err != nil {
			t.Fatal(err)
		}
		out := locate(json.RawMessage(c[0]), filepath.FromSlash("/trained"))
		if err := json.Unmarshal(out, &got); err != nil || filepath.Separator == '/' && !equalJSON(got, want) {
			t.Errorf("%s: %s, %v, want %s", c[0], out, err, c[1])
		}
		if same := locate(json.RawMessage(c[0]), ""); string(same) != c[0] {
			t.Errorf("%s without a directory: %s", c[0], same)
		}
	}
}

func equalJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
