package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNEONCodes assembles the comments of the instructions that are written as
// numbers, with LLVM's assembler where there is one.
func TestNEONCodes(t *testing.T) {
	llvm := findLLVM(t, "llvm-mc")
	files, err := filepath.Glob("*_arm64.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("no assembly found: %v", err)
	}
	line := regexp.MustCompile(`WORD \$0x([0-9a-f]{8}) // (.*)`)
	codes := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range line.FindAllStringSubmatch(string(text), -1) {
			if code, ok := codes[m[2]]; ok && code != m[1] {
				t.Fatalf("%s is both %s and %s", m[2], code, m[1])
			}
			codes[m[2]] = m[1]
		}
	}
	var comments []string
	for comment := range codes {
		comments = append(comments, comment)
	}
	assembler := exec.Command(llvm, "-triple=aarch64", "-mattr=+bf16", "-show-encoding")
	assembler.Stdin = strings.NewReader(strings.Join(comments, "\n"))
	out, err := assembler.Output()
	if err != nil {
		t.Fatalf("%s: %v", llvm, err)
	}
	encodings := regexp.MustCompile(`encoding: \[(.*)\]`).FindAllStringSubmatch(string(out), -1)
	if len(encodings) != len(comments) || len(comments) < 100 {
		t.Fatalf("%d codes of %d comments", len(encodings), len(comments))
	}
	for i, comment := range comments {
		bytes := strings.Split(strings.ReplaceAll(encodings[i][1], "0x", ""), ",")
		slices.Reverse(bytes)
		if want := strings.Join(bytes, ""); codes[comment] != want {
			t.Errorf("%s is %s, not %s", comment, want, codes[comment])
		}
	}
}

// findLLVM returns the path of a tool of LLVM, or skips the test.
func findLLVM(t *testing.T, tool string) string {
	if path, err := exec.LookPath(tool); err == nil {
		return path
	}
	if found, _ := filepath.Glob("/usr/lib/llvm-*/bin/" + tool); len(found) > 0 {
		return found[len(found)-1]
	}
	t.Skip("no " + tool + " here")
	return ""
}
