//go:build !purego

package kernel

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAVX2Registers checks that no AVX2 kernel uses a register that only
// AVX-512 has: the generator takes them when it runs out of others, and where
// the tests run on a CPU with AVX-512 nothing else would tell.
func TestAVX2Registers(t *testing.T) {
	files, err := filepath.Glob("*_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("no assembly found: %v", err)
	}
	wide := regexp.MustCompile(`\b([XY](1[6-9]|2[0-9]|3[01])|Z[0-9]+|K[0-7])\b`)
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		function := ""
		for lines := bufio.NewScanner(f); lines.Scan(); {
			line := lines.Text()
			if strings.HasPrefix(line, "TEXT") {
				function, _, _ = strings.Cut(line, "(")
			}
			if strings.Contains(function, "AVX2") && wide.MatchString(line) {
				t.Errorf("%s: %s: %s", name, function, strings.TrimSpace(line))
			}
		}
		f.Close()
	}
}
