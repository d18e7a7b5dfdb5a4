//go:build ignore

// Command mca prints how long the innermost loops of the NEON kernels take on
// cores that LLVM has models of, as llvm-mca predicts: in the first-level cache and
// in the steady state. Of loops that multiply matrices it also prints the cycles that
// their multiply-adds need alone, and what share those are of the predicted ones. It is
// run in the repository, with LLVM 22 installed:
//
//	go run scripts/mca.go /usr/lib/llvm-22/bin/llvm-mca
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// loops are the file, function and label of each loop.
var loops = [][3]string{
	{"gemm", "gemmNEONx6", "loop"},
	{"gemm", "gemmNEONx6", "down"},
	{"gemm", "gemmNEONx1", "wide_loop"},
	{"gemm_bf16", "gemmQuadsNEONx6", "loop"},
	{"gemm_int8", "gemmInt8NEONx6", "loop"},
	{"gemm_int8", "gemmInt8NEONx1", "loop"},
	{"ema", "emaScanNEON", "scan0_8"},
	{"ema", "emaScanNEON", "scan1_8"},
	{"ema", "emaGradientNEON", "gradient0_4"},
	{"ema", "emaGradientNEON", "gradient1_4"},
	{"vec", "expNEON", "loop1"},
	{"vec", "sigmoidNEON", "loop1"},
	{"attention", "attentionExpNEON", "loop1"},
	{"attention", "attentionLaplaceNEON", "loop1"},
}

var cores = []string{"neoverse-n1", "neoverse-v2", "apple-m1"}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run scripts/mca.go LLVM-MCA")
	}
	var all, products [][]string
	for _, l := range loops {
		body := loop(l)
		name := l[1] + " " + l[2]
		row, shares := []string{name, fmt.Sprint(len(body))}, []string{name, fmt.Sprint(len(multiplyAdds(body)))}
		for _, core := range cores {
			if l[0] == "gemm_bf16" && core != "neoverse-v2" {
				row, shares = append(row, "–"), append(shares, "–") // it has no such instructions
				continue
			}
			p := predict(os.Args[1], core, body)
			row = append(row, p.share(p.bound))
			if strings.HasPrefix(l[0], "gemm") {
				shares = append(shares, p.share(predict(os.Args[1], core, multiplyAdds(body)).bound))
			}
		}
		all = append(all, row)
		if strings.HasPrefix(l[0], "gemm") {
			products = append(products, shares)
		}
	}
	table("instructions", all)
	fmt.Println()
	table("multiply-adds", products)
}

// table prints rows of a loop's name, a number of what count says, and a cell for each
// core.
func table(count string, rows [][]string) {
	fmt.Printf("| loop | %s | %s |\n%s|\n", count, strings.Join(cores, " | "), strings.Repeat("| --- ", 2+len(cores)))
	for _, row := range rows {
		fmt.Printf("| %s |\n", strings.Join(row, " | "))
	}
}

// multiplyAdds returns the instructions of a loop that multiply and add.
func multiplyAdds(body []string) []string {
	return slices.DeleteFunc(slices.Clone(body), func(line string) bool {
		return !strings.HasPrefix(line, "fmla") && !strings.HasPrefix(line, "bfmmla")
	})
}

// A prediction is the cycles that a turn of a loop takes, and those that its
// instructions take if none waits for another: those of the core's busiest unit, or of
// decoding them.
type prediction struct{ cycles, bound float64 }

// share tells what share of the predicted cycles some are that it cannot do without.
func (p prediction) share(needed float64) string {
	return fmt.Sprintf("%.1f of %.1f, %.0f%%", needed, p.cycles, 100*needed/p.cycles)
}

// predict asks llvm-mca about a loop on a core. What LLVM calls the block's throughput
// counts only some of the units, so that the pressure on each is looked at too.
func predict(mca, core string, body []string) (p prediction) {
	const turns = 200
	cmd := exec.Command(mca, "-mtriple=aarch64", "-mcpu="+core, fmt.Sprint("-iterations=", turns))
	cmd.Stdin = strings.NewReader("loop:\n" + strings.Join(body, "\n") + "\n")
	out, err := cmd.Output()
	if err != nil {
		log.Fatal(err)
	}
	number := func(name string) (v float64) {
		m := regexp.MustCompile(name + `:\s+([\d.]+)`).FindSubmatch(out)
		if _, err := fmt.Sscan(string(m[1]), &v); err != nil {
			log.Fatal(err)
		}
		return v
	}
	p.cycles, p.bound = number("Total Cycles")/turns, number("Block RThroughput")
	_, pressure, found := strings.Cut(string(out), "Resource pressure per iteration:\n")
	lines := strings.SplitN(pressure, "\n", 3)
	if !found || len(lines) < 3 {
		log.Fatalf("%s prints no pressure", mca)
	}
	for _, field := range strings.Fields(lines[1]) {
		if busy, err := strconv.ParseFloat(field, 64); err == nil { // "-" for none
			p.bound = max(p.bound, busy)
		}
	}
	return p
}

// loop returns the instructions of a loop in LLVM's syntax.
func loop(l [3]string) (body []string) {
	text, err := os.ReadFile(filepath.Join("internal/kernel", l[0]+"_arm64.s"))
	if err != nil {
		log.Fatal(err)
	}
	_, function, found := strings.Cut(string(text), "TEXT ·"+l[1]+"(SB)")
	_, rest, foundLabel := strings.Cut(function, "\n"+l[2]+":\n")
	if !found || !foundLabel {
		log.Fatalf("no %s in %s", l[2], l[1])
	}
	for _, line := range strings.Split(rest, "\n") {
		body = append(body, translate(strings.TrimSpace(line)))
		if strings.HasPrefix(strings.TrimSpace(line), "BGE") {
			return body
		}
	}
	log.Fatalf("%s has no end", l[2])
	return nil
}

// translations are of the instructions of Go's that are in the loops.
var translations = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`^WORD \S+ // (.*)`), "$1"},
	{regexp.MustCompile(`^FLDPQ (\d+)\(R(\d+)\), \(F(\d+), F(\d+)\)`), "ldp q$3, q$4, [x$2, #$1]"},
	{regexp.MustCompile(`^FSTPQ \(F(\d+), F(\d+)\), (\d+)\(R(\d+)\)`), "stp q$1, q$2, [x$4, #$3]"},
	{regexp.MustCompile(`^FMOVQ (\d+)\(R(\d+)\), F(\d+)`), "ldr q$3, [x$2, #$1]"},
	{regexp.MustCompile(`^FMOVQ F(\d+), (\d+)\(R(\d+)\)`), "str q$1, [x$3, #$2]"},
	{regexp.MustCompile(`^ADD (?:R|\$)(\w+), R(\d+), R(\d+)`), "add x$3, x$2, $1"},
	{regexp.MustCompile(`^SUB \$(\w+), R(\d+), R(\d+)`), "sub x$3, x$2, $1"},
	{regexp.MustCompile(`^CMP \$(\w+), R(\d+)`), "cmp x$2, $1"},
	{regexp.MustCompile(`^BGE .*`), "b.ge loop"},
}

func translate(line string) string {
	for _, t := range translations {
		if t.from.MatchString(line) {
			line = t.from.ReplaceAllString(line, t.to)
			return regexp.MustCompile(`^(add .*), (\d+)$`).ReplaceAllString(line, "$1, x$2")
		}
	}
	log.Fatalf("no translation of %s", line)
	return ""
}
