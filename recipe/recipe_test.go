package recipe

import (
	"strings"
	"testing"
)

// TestFilesSayWhatTheyAreFor wants of every recipe a summary, a source, a score,
// and arguments that begin with a flag.
func TestFilesSayWhatTheyAreFor(t *testing.T) {
	for _, name := range Names() {
		text, err := files.ReadFile(name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"\n# Source: ", "core: "} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s.txt has no %q", name, want)
			}
		}
		r, err := Find(name)
		if err != nil || r.Summary == "" || len(r.Flags) == 0 || !strings.HasPrefix(r.Flags[0], "--") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}
