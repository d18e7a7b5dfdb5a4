//go:build ignore

// Command mca prints how long the innermost loops of the NEON kernels take on
// cores that LLVM has models of, as llvm-mca predicts: in the first-level cache and
// in the steady state. It is run in the repository, with LLVM 22 installed:
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
	"strconv"
	"strings"
)

// loops are the file, function and label of each loop.
var loops = [][3]string{
	{"gemm", "gemmNEONx6", "loop"},
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
	fmt.Printf("| loop | instructions | %s |\n", strings.Join(cores, " | "))
	for _, l := range loops {
		body := loop(l)
		fmt.Printf("| %s %s | %d |", l[1], l[2], len(body))
		for _, core := range cores {
			if l[0] == "gemm_bf16" && core != "neoverse-v2" {
				fmt.Print(" – |") // it has no such instructions
				continue
			}
			fmt.Printf(" %s |", predict(os.Args[1], core, body))
		}
		fmt.Println()
	}
}

// predict returns the cycles that a turn of a loop takes, and those that its
// instructions take if none waits for another: those of the core's busiest unit, or of
// decoding them. What LLVM calls the block's throughput counts only some of the units.
func predict(mca, core string, body []string) string {
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
	cycles, bound := number("Total Cycles")/turns, number("Block RThroughput")
	_, pressure, found := strings.Cut(string(out), "Resource pressure per iteration:\n")
	lines := strings.SplitN(pressure, "\n", 3)
	if !found || len(lines) < 3 {
		log.Fatalf("%s prints no pressure", mca)
	}
	for _, field := range strings.Fields(lines[1]) {
		if busy, err := strconv.ParseFloat(field, 64); err == nil { // "-" for none
			bound = max(bound, busy)
		}
	}
	return fmt.Sprintf("%.1f of %.1f, %.0f%%", bound, cycles, 100*bound/cycles)
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
