package kernels

import (
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestMutants holds that the interpreter catches a kernel with a barrier removed, and
// one whose guard lets one thread too many through.
func TestMutants(t *testing.T) {
	run := func(text, name string) error {
		b := &bench{t, interpret(t, text), rand.New(rand.NewPCG(1, 2))}
		x := up(b, b.normal(64*64))
		switch name {
		case "product", "product_bf16", "product_tf32":
			return product(b, name, tile, Matrix{b.empty(64 * 64), 64, 1, 0}, Matrix{x, 64, 1, 0}, Matrix{x, 64, 1, 0}, Epilogue{}, 1, 64, 64, 64)
		case "product_large", "product_bf16_large", "product_tf32_large":
			return product(b, name, largeTile, Matrix{b.empty(96 * 64), 64, 1, 0}, Matrix{x, 1, 64, 0}, Matrix{x, 64, 1, 0}, Epilogue{}, 1, 64, 64, 64)
		case "product_small":
			return product(b, name, smallTile, Matrix{b.empty(32 * 32), 32, 1, 0}, Matrix{x, 32, 1, 0}, Matrix{x, 32, 1, 0}, Epilogue{}, 1, 32, 32, 32)
		case "add":
			return Add(b, up(b, b.normal(100)), x, x, 100)
		case "square_parts":
			return sumSquares(b, up(b, []float64{0}), x, b.Alloc(8), 64*64)
		case "layer_norm":
			return LayerNorm(b, up(b, b.normal(70)), x, 0, 0, b.empty(7), b.empty(7), 7, 10, 10, 10, 1e-5, Dropout{})
		case "ema_scan", "ema_grad_scan":
			e := EMA{Batch: processors, Length: 9, Channels: 1, Decay: x, Output: x, Power: x, Slope: x}
			if name == "ema_scan" {
				return e.Forward(b, b.empty(9*processors), x, 0, 0, x, 0)
			}
			return e.Gradients(b, b.empty(EMAStates), b.empty(EMAStates), x, x, 0, b.empty(2*e.Carries()))
		}
		return EMA{Batch: 1, Length: 64, Channels: 60, Decay: x, Output: x, Power: x}.Forward(b, b.empty(64*60), x, 0, 0, x, b.empty(EMAStates*60))
	}
	for name, count := range map[string]int{"product": 3, "product_bf16": 3, "product_large": 4, "product_bf16_large": 4, "product_tf32": 3, "product_tf32_large": 4, "product_small": 2, "add": 1, "layer_norm": 1, "ema_local": 1, "square_parts": 1, "ema_scan": 2, "ema_grad_scan": 3} {
		whole := PTX
		if strings.HasPrefix(name, "product") { // which is launched alone
			whole = kernelAlone(t, name)
		}
		if err := run(whole, name); err != nil {
			t.Errorf("%s as it is: %v", name, err)
		}
		start := strings.Index(whole, ".entry "+name+"(")
		body := whole[start:]
		body = body[:strings.Index(body, "\n}")]
		old, changed := "setp.ge.s", "setp.gt.s"
		if strings.HasPrefix(name, "product") || name == "square_parts" || strings.HasSuffix(name, "scan") {
			old, changed = "bar.sync \t0;", ""
		}
		if strings.Count(body, old) < count {
			t.Fatalf("%s has no %q", name, old)
		}
		for i := range count {
			parts := strings.SplitN(body, old, i+2)
			mutant := strings.Join(parts[:i+1], old) + changed + parts[i+1]
			text := whole[:start] + mutant + whole[start+len(body):]
			if err := run(text, name); err == nil {
				t.Errorf("%s: %q number %d may go", name, old, i)
			} else {
				t.Log(err)
			}
		}
	}
}

// TestText holds that the module is what go generate writes, where clang-22 is
// installed, and that no kernel keeps arrays in local memory, which is slow.
func TestText(t *testing.T) {
	if strings.Contains(PTX, ".local") {
		t.Error("a kernel has an array that is not in registers")
	}
	if _, err := exec.LookPath("clang-22"); err != nil {
		t.Skip("clang-22 is not installed")
	}
	got, err := exec.Command("clang-22", append(strings.Fields(generate), "-o", "-", "mega.cu")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != PTX {
		t.Error("mega.ptx is not what go generate writes")
	}
}

// TestAssembler has NVIDIA's assembler make code for devices, where it is installed: it is
// part of the CUDA toolkit, and needs no GPU. No kernel may need many more registers than
// there are.
func TestAssembler(t *testing.T) {
	if _, err := exec.LookPath("ptxas"); err != nil {
		t.Skip("ptxas is not installed")
	}
	for _, device := range []string{"sm_80", "sm_86", "sm_90"} {
		out, err := exec.Command("ptxas", "-v", "-arch", device, "-o", filepath.Join(t.TempDir(), "cubin"), "mega.ptx").CombinedOutput()
		switch {
		case strings.Contains(string(out), "is not defined for option 'gpu-name'"):
			t.Logf("ptxas does not know %s", device)
		case err != nil:
			t.Errorf("%s: %v: %s", device, err, out)
		}
		for _, spilled := range regexp.MustCompile(`(\d+) bytes spill stores`).FindAllStringSubmatch(string(out), -1) {
			if n, _ := strconv.Atoi(spilled[1]); n > 64 {
				t.Errorf("%s: a kernel keeps %d bytes of registers in memory", device, n)
			}
		}
	}
}

// generate are the arguments of clang-22 in go generate's line.
const generate = "-x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib -O3 -ffp-contract=off -fno-jump-tables -S -Xclang -target-feature -Xclang +ptx70"
