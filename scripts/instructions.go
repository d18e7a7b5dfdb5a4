//go:build ignore

// Command instructions counts the instructions that an ARM processor executes in
// kernels, portable and NEON. QEMU tells which blocks of the program it runs
// (-d in_asm,exec,nochain); this adds up the lengths of those in package kernel and in
// package math, which the portable kernels call. The program counts itself, built for
// arm64, with one turn of the work and with three, so that what prepares it does not
// count. It is run in the repository, with Debian's qemu-user-static:
//
//	go run scripts/instructions.go
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/internal/parallel"
)

// A work is something to count. It returns what to do a turn.
type work struct {
	name  string
	setUp func() func()
}

var works = []work{
	{"product, 96 × 256 by 256 × 256", func() func() { return product(96, 256, 256, (*kernel.Packed).Pack) }},
	{"the same in bfloat16", func() func() { return product(96, 256, 256, (*kernel.Packed).PackBF16) }},
	{"product, 1 × 512 by 512 × 512", func() func() { return product(1, 512, 512, (*kernel.Packed).Pack) }},
	{"the same with int8 weights", func() func() { return product(1, 512, 512, (*kernel.Packed).PackInt8) }},
	{"moving average, 64 channels of 16 states, 128 steps", average},
	{"exp of 8,192 numbers", func() func() {
		x := numbers(8192)
		y := make([]float32, len(x))
		return func() { kernel.Exp(y, x) }
	}},
	{"silu of 8,192 numbers", func() func() {
		x := numbers(8192)
		y := make([]float32, len(x))
		return func() { kernel.Activate(kernel.SiLU, y, x) }
	}},
	{"layer norm, 32 × 256", func() func() {
		x, weight := numbers(32*256), numbers(256)
		y, mean, rstd := make([]float32, len(x)), make([]float32, 32), make([]float32, 32)
		return func() { kernel.LayerNorm(y, x, weight, weight, mean, rstd, 32, 256, 256, 256, 1e-5) }
	}},
	{"Adam, 8,192 weights", func() func() {
		w, g, m, v := numbers(8192), numbers(8192), numbers(8192), make([]float32, 8192)
		p := kernel.AdamParams{StepSize: 1e-3, Beta1: 0.9, Beta2: 0.98, Eps: 1e-8, GradScale: 1}
		return func() { kernel.AdamStep(w, g, m, v, p) }
	}},
}

// numbers returns n numbers between -1 and 1.
func numbers(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i*37%101)/50 - 1
	}
	return x
}

// product multiplies m rows by packed weights.
func product(m, k, n int, pack func(*kernel.Packed, *parallel.Workers, int, int, kernel.Matrix)) func() {
	var packed kernel.Packed
	pack(&packed, nil, k, n, kernel.Matrix{Data: numbers(k * n), Stride: n})
	a, c := kernel.Matrix{Data: numbers(m * k), Stride: k}, make([]float32, m*n)
	return func() { kernel.GemmPackedSerial(m, n, k, a, &packed, c, n, kernel.Epilogue{}) }
}

func average() func() {
	const channels, states, length = 64, 16, 128
	rate := func() []float32 { return numbers(channels * states) }
	var c kernel.EMACoefficients
	c.Set(nil, kernel.EMAShape{Channels: channels, States: states},
		kernel.EMAParams{Delta: rate(), Alpha: rate(), Beta: rate(), Gamma: rate(), Omega: numbers(channels)})
	x := numbers(length * channels)
	s := make([]float32, len(x))
	return func() { kernel.EMAForward(nil, s, x, nil, 1, length, &c) }
}

func main() {
	log.SetFlags(0)
	if len(os.Args) == 3 {
		run(os.Args[1], os.Args[2])
		return
	}
	directory, err := os.MkdirTemp("", "instructions")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(directory)
	program := filepath.Join(directory, "program")
	build := exec.Command("go", "build", "-o", program, "scripts/instructions.go")
	build.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		log.Fatalf("%v: %s", err, out)
	}
	fmt.Println("| work | portable | NEON | times fewer |\n| --- | --- | --- | --- |")
	for i, w := range works {
		portable, neon := turn(program, "generic", i), turn(program, "neon", i)
		fmt.Printf("| %s | %d | %d | %.1f |\n", w.name, portable, neon, float64(portable)/float64(neon))
	}
}

// run does turns of the work of that number.
func run(number, turns string) {
	i, err := strconv.Atoi(number)
	if err != nil {
		log.Fatal(err)
	}
	n, err := strconv.Atoi(turns)
	if err != nil {
		log.Fatal(err)
	}
	if err := kernel.CheckEnvironment(); err != nil {
		log.Fatal(err)
	}
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	do := works[i].setUp()
	for range n {
		do()
	}
}

// turn returns the instructions of a turn of a work.
func turn(program, implementation string, number int) int {
	return (count(program, implementation, number, 3) - count(program, implementation, number, 1)) / 2
}

// count runs the program in QEMU and returns the instructions that it executes.
func count(program, implementation string, number, turns int) int {
	cmd := exec.Command("qemu-aarch64-static", "-d", "in_asm,exec,nochain", program, strconv.Itoa(number), strconv.Itoa(turns))
	cmd.Env = append(os.Environ(), "MEGA_KERNEL="+implementation)
	trace, err := cmd.StderrPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	n, err := add(trace)
	if err := cmd.Wait(); err != nil {
		log.Fatal(err)
	}
	if err != nil {
		log.Fatal(err)
	}
	return n
}

// counted matches the names of the functions that count.
var counted = regexp.MustCompile(`/internal/kernel\.|\] math\.`)

// add adds up the lengths of the blocks that a trace says were executed. The
// instructions of a block come before it is first executed, a line each, after a line
// that begins with "IN:".
func add(trace io.Reader) (n int, err error) {
	lengths := map[uint64]int{}
	var block uint64
	inside := false
	lines := bufio.NewScanner(trace)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "IN:"):
			block, inside = 0, true
		case strings.HasPrefix(line, "Trace "):
			inside = false
			if !counted.MatchString(line) {
				continue
			}
			address, err := executed(line)
			if err != nil {
				return 0, err
			}
			if lengths[address] == 0 {
				return 0, fmt.Errorf("no block begins where QEMU executes one: %s", line)
			}
			n += lengths[address]
		case inside && strings.HasPrefix(line, "0x"):
			text, _, _ := strings.Cut(line, ":")
			address, err := strconv.ParseUint(text, 0, 64)
			if err != nil {
				return 0, err
			}
			if block == 0 {
				block = address
				lengths[block] = 0
			}
			lengths[block]++
		}
	}
	return n, lines.Err()
}

// executed returns the address in a line such as
//
//	Trace 0: 0x7f0c [00000000/0000000000401000/00000000/00000000] main.main
func executed(line string) (uint64, error) {
	if fields := strings.Split(line, "/"); len(fields) > 1 {
		return strconv.ParseUint(fields[1], 16, 64)
	}
	return 0, fmt.Errorf("no address: %s", line)
}
