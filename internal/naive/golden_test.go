package naive

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goldenDir = "../../testdata/golden"

// golden is a case of testdata/golden: a model of the reference and what it gave.
type golden struct {
	args    map[string]any
	weights map[string]Tensor
	values  map[string]Tensor
}

func loadGolden(t *testing.T, name string) golden {
	t.Helper()
	dir := filepath.Join(goldenDir, name)
	g := golden{
		weights: readSafetensors(t, filepath.Join(dir, "model.safetensors")),
		values:  readSafetensors(t, filepath.Join(dir, "golden.safetensors")),
	}
	data, err := os.ReadFile(filepath.Join(dir, "args.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g.args); err != nil {
		t.Fatal(err)
	}
	return g
}

// readSafetensors reads a file that is known to be sound.
func readSafetensors(t *testing.T, path string) map[string]Tensor {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(data)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(data[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	tensors := map[string]Tensor{}
	for name, raw := range header {
		var entry struct {
			Dtype   string
			Shape   []int
			Offsets [2]int `json:"data_offsets"`
		}
		if name == "__metadata__" {
			continue
		}
		if err := json.Unmarshal(raw, &entry); err != nil {
			t.Fatal(err)
		}
		bytes := data[8+n:][entry.Offsets[0]:entry.Offsets[1]]
		tensors[name] = Tensor{entry.Shape, decode(t, entry.Dtype, bytes)}
	}
	return tensors
}

func decode(t *testing.T, dtype string, b []byte) []float64 {
	t.Helper()
	var out []float64
	for len(b) > 0 {
		switch dtype {
		case "F32":
			out, b = append(out, float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))), b[4:]
		case "F64":
			out, b = append(out, math.Float64frombits(binary.LittleEndian.Uint64(b))), b[8:]
		case "I64":
			out, b = append(out, float64(int64(binary.LittleEndian.Uint64(b)))), b[8:]
		default:
			t.Fatalf("dtype %s", dtype)
		}
	}
	return out
}

func (g golden) model(t *testing.T) *Model {
	t.Helper()
	m, err := NewModel(g.args, g.weights)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// batch returns the input under prefix, "b0." or "b1.".
func (g golden) batch(prefix string) Batch {
	b := Batch{Target: ints(g.values[prefix+"target"].Data)}
	tokens := g.values[prefix+"net_input.src_tokens"]
	switch {
	case len(tokens.Shape) == 4:
		pixels := len(tokens.Data) / tokens.Shape[0]
		b.Images = table(Tensor{Shape: []int{tokens.Shape[0], pixels}}, tokens.Data)
		return b
	case g.weights["encoder.encoder.embed_tokens.bias"].Data != nil:
		b.Values = table(tokens, tokens.Data)
	default:
		b.Tokens = table(tokens, ints(tokens.Data))
	}
	b.Lengths = ints(g.values[prefix+"net_input.src_lengths"].Data)
	if second, ok := g.values[prefix+"net_input1.src_tokens"]; ok {
		b.Tokens2 = table(second, ints(second.Data))
		b.Lengths2 = ints(g.values[prefix+"net_input1.src_lengths"].Data)
	}
	if prev, ok := g.values[prefix+"net_input.prev_output_tokens"]; ok {
		b.Prev = table(prev, ints(prev.Data))
	}
	return b
}

// lastBatch returns the prefix of the case's last batch, b0. or b1.
func (g golden) lastBatch() string {
	if _, ok := g.values["b1.target"]; ok {
		return "b1."
	}
	return "b0."
}

// gradients returns what Backward of loss left for each parameter that the case
// has a gradient for, and the case's.
func (g golden) gradients(t *testing.T, m *Model, prefix string) (got, want map[string][]float64) {
	t.Helper()
	got, want = map[string][]float64{}, map[string][]float64{}
	for name, v := range g.values {
		name, ok := strings.CutPrefix(name, prefix+"train.grad.")
		if !ok {
			continue
		}
		if m.Params[name] == nil {
			t.Fatalf("no parameter %s", name)
		}
		got[name], want[name] = m.Params[name].Grad, v.Data
	}
	return got, want
}

// trained returns the names of the parameters that the trajectory ends with.
func (g golden) trained() []string {
	var names []string
	for name := range g.values {
		if name, ok := strings.CutPrefix(name, "trajectory.final."); ok {
			names = append(names, name)
		}
	}
	return names
}

func (g golden) number(key string) float64 { return g.args[key].(float64) }

func (g golden) schedule() LinearDecay {
	return LinearDecay{
		LR: g.args["lr"].([]any)[0].(float64), InitLR: g.number("warmup_init_lr"), EndLR: g.number("end_learning_rate"),
		Warmup: int(g.number("warmup_updates")), Total: int(g.number("total_num_update")), Power: g.number("warmup_power"),
	}
}

func ints(x []float64) []int {
	out := make([]int, len(x))
	for i, v := range x {
		out[i] = int(v)
	}
	return out
}

// table cuts data into the rows that shape's tensor has.
func table[T any](shape Tensor, data []T) [][]T {
	cols := shape.Shape[1]
	rows := make([][]T, shape.Shape[0])
	for i := range rows {
		rows[i] = data[i*cols : (i+1)*cols]
	}
	return rows
}

// distance returns ‖got − want‖ / ‖want‖.
func distance(got, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	diff := make([]float64, len(got))
	for i := range got {
		diff[i] = got[i] - want[i]
	}
	return norm(diff) / norm(want)
}

func norm(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}
