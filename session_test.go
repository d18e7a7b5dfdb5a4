package mega_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// goldenModels are the reference's language models.
var goldenModels = []string{"lm_enwik8", "lm_wikitext103"}

func goldenDir(name string) string { return filepath.Join("testdata", "golden", name) }

// openModel loads a golden model.
func openModel(t testing.TB, name string) *mega.LanguageModel {
	t.Helper()
	c, err := checkpoint.Open(goldenDir(name))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m, err := c.LanguageModel()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// forEachKernel runs f under every implementation that this machine has.
func forEachKernel(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	before := kernel.Current()
	defer kernel.Use(before)
	for _, i := range kernel.Available() {
		if err := kernel.Use(i); err != nil {
			t.Fatal(err)
		}
		t.Run(i.String(), f)
	}
}

// A golden holds what the reference computed.
type golden struct {
	t *testing.T
	*safetensors.Reader
}

func openGolden(t *testing.T, name string) golden {
	t.Helper()
	r, err := safetensors.Open(filepath.Join(goldenDir(name), "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return golden{t, r}
}

func (g golden) floats(name string) []float32 {
	g.t.Helper()
	x, err := g.Float32(name)
	if err != nil {
		g.t.Fatal(err)
	}
	return x
}

// tokens returns a tensor of tokens [rows, length].
func (g golden) tokens(name string) (tokens []int32, rows, length int) {
	g.t.Helper()
	wide, err := g.Int64(name)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, v := range wide {
		tokens = append(tokens, int32(v))
	}
	shape, _ := g.Shape(name)
	return tokens, shape[0], shape[1]
}

// farthest is the largest difference over the largest number wanted.
func farthest(got, want []float32) float64 {
	if len(got) != len(want) {
		panic(fmt.Sprintf("%d numbers, want %d", len(got), len(want)))
	}
	diff, largest := 0.0, 0.0
	for i := range want {
		diff = max(diff, math.Abs(float64(got[i])-float64(want[i])))
		largest = max(largest, math.Abs(float64(want[i])))
	}
	return diff / largest
}

// outputs returns what the reference calls a decoder's output for features:
// logits, or with an adaptive softmax the features themselves.
func outputs(m *mega.LanguageModel, features *autograd.Variable) []float32 {
	if m.Config().Adaptive() {
		return features.Value().Data()
	}
	return m.Scores(autograd.NewTape(), features).Value().Data()
}

// column returns one column of tokens [rows, length].
func column(tokens []int32, rows, i int) []int32 {
	var out []int32
	for row := range rows {
		out = append(out, tokens[row*len(tokens)/rows+i])
	}
	return out
}

// Tokens read one by one, and chunk by chunk, give what they gave the reference.
func TestGoldenSession(t *testing.T) {
	for _, name := range goldenModels {
		t.Run(name, func(t *testing.T) {
			forEachKernel(t, func(t *testing.T) {
				m, g := openModel(t, name), openGolden(t, name)
				tokens, rows, length := g.tokens("incremental.tokens")
				want := g.floats("incremental.out")
				s := m.NewBatch(rows)
				width := len(want) / len(tokens)
				got := tensor.New(rows*length, width)
				for i := range length {
					x, err := s.Features(column(tokens, rows, i))
					if err != nil {
						t.Fatal(err)
					}
					out := outputs(m, x)
					for row := range rows {
						copy(got.Row(row*length+i), out[row*width:][:width])
					}
				}
				if d := farthest(got.Data(), want); d > 1e-5 {
					t.Errorf("incremental.out: off by %.2g of the largest", d)
				}
				checkChunkwise(t, m, g)
			})
		})
	}
}

func checkChunkwise(t *testing.T, m *mega.LanguageModel, g golden) {
	tokens, rows, length := g.tokens("b0.net_input.src_tokens")
	want := g.floats("chunkwise.out")
	chunk := m.Config().DecoderChunkSize
	s := m.NewBatch(rows)
	width := len(want) / len(tokens)
	got := tensor.New(rows*length, width)
	for from := 0; from < length; from += chunk {
		n := min(chunk, length-from)
		var window []int32
		for row := range rows {
			window = append(window, tokens[row*length+from:][:n]...)
		}
		x, err := s.Features(window)
		if err != nil {
			t.Fatal(err)
		}
		out := outputs(m, x)
		for row := range rows {
			copy(got.Data()[(row*length+from)*width:], out[row*n*width:][:n*width])
		}
	}
	if d := farthest(got.Data(), want); d > 1e-5 {
		t.Errorf("chunkwise.out: off by %.2g of the largest", d)
	}
}

// smallConfig is a model with everything on a small scale; its average is not
// truncated, so that reading piece by piece is the same as at once.
func smallConfig(change func(*mega.LanguageModelConfig)) mega.LanguageModelConfig {
	c, err := mega.LanguageModelArch("mega_lm_enwik8_base")
	if err != nil {
		panic(err) // the name is ours
	}
	c.VocabSize, c.MaxTargetPositions, c.TruncationLength = 50, 64, 0
	c.DecoderLayers, c.DecoderEmbedDim, c.DecoderInputDim, c.DecoderHiddenDim = 2, 20, 20, 36
	c.DecoderFFNEmbedDim, c.DecoderZDim, c.DecoderNDim, c.DecoderChunkSize = 28, 12, 3, 8
	c.RelPosBias, c.NormalizeBefore, c.NoAffineFinalNorm, c.ShareDecoderInputOutputEmbed = "rotary", true, true, true
	change(&c)
	return c
}

// sessionModels are the models that every property of sessions is tested on.
var sessionModels = map[string]func(*mega.LanguageModelConfig){
	"plain":      func(*mega.LanguageModelConfig) {},
	"unchunked":  func(c *mega.LanguageModelConfig) { c.DecoderChunkSize = -1 },
	"simple":     func(c *mega.LanguageModelConfig) { c.RelPosBias = "simple" },
	"laplace":    func(c *mega.LanguageModelConfig) { c.AttentionActivationFn, c.NormalizationType = "laplace", "rmsnorm" },
	"relu2":      func(c *mega.LanguageModelConfig) { c.AttentionActivationFn, c.NormalizationType = "relu2", "scalenorm" },
	"batchnorm":  func(c *mega.LanguageModelConfig) { c.NormalizationType = "batchnorm" },
	"post-norm":  func(c *mega.LanguageModelConfig) { c.NormalizeBefore, c.NormalizeEmbedding = false, true },
	"no network": func(c *mega.LanguageModelConfig) { c.DecoderFFNEmbedDim = 0 },
	"17 states":  func(c *mega.LanguageModelConfig) { c.DecoderNDim = 17 },
	"33 states":  func(c *mega.LanguageModelConfig) { c.DecoderNDim = 33 },
	"projected":  func(c *mega.LanguageModelConfig) { c.DecoderInputDim, c.ShareDecoderInputOutputEmbed = 12, false },
	"adaptive": func(c *mega.LanguageModelConfig) {
		c.AdaptiveInput, c.TieAdaptiveWeights, c.TieAdaptiveProj, c.ShareDecoderInputOutputEmbed = true, true, true, false
		c.AdaptiveInputCutoff, c.AdaptiveSoftmaxCutoff = []int{20, 35}, []int{20, 35}
	},
}

func newModel(t testing.TB, change func(*mega.LanguageModelConfig)) *mega.LanguageModel {
	t.Helper()
	m, err := mega.NewLanguageModel(smallConfig(change))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// text draws tokens that are not special.
func text(seed uint64, n, vocab int) []int32 {
	r := rand.New(rand.NewPCG(seed, 0))
	out := make([]int32, n)
	for i := range out {
		out[i] = 4 + r.Int32N(int32(vocab-4))
	}
	return out
}

// fullLogProbs returns the log-probabilities of what follows each token, from
// one pass over all.
func fullLogProbs(t testing.TB, m *mega.LanguageModel, tokens []int32) *tensor.Tensor {
	t.Helper()
	tape := autograd.NewTape()
	x, err := m.Features(tape, tokens, 1, len(tokens))
	if err != nil {
		t.Fatal(err)
	}
	return tape.LogSoftmax(m.Scores(tape, x)).Value().Clone()
}

// A prompt read at once and then token by token gives what the whole text gives
// in one pass, whatever the prompt's length.
func TestPrefillThenStep(t *testing.T) {
	for name, change := range sessionModels {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, change)
			const chunk = 8
			tokens := text(1, 4*chunk+3, m.Config().VocabSize)
			want := fullLogProbs(t, m, tokens)
			for n := 1; n <= 3*chunk; n++ {
				s := m.NewSession()
				if err := s.Prefill(tokens[:n]); err != nil {
					t.Fatal(err)
				}
				checkNext(t, s.LogProbs(), want, n-1, n)
				for i := n; i < len(tokens); i++ {
					got, err := s.Step(tokens[i])
					if err != nil {
						t.Fatal(err)
					}
					checkNext(t, got, want, i, n)
				}
				if s.Position(0) != len(tokens) {
					t.Fatalf("position %d after %d tokens", s.Position(0), len(tokens))
				}
			}
		})
	}
}

func checkNext(t *testing.T, got []float32, want *tensor.Tensor, i, prompt int) {
	t.Helper()
	if d := farthest(got, want.Row(i)); !(d <= 1e-5) {
		t.Fatalf("after token %d, with a prompt of %d: off by %.2g of the largest", i, prompt, d)
	}
}

// Texts side by side do not disturb one another, in whatever order they come and
// wherever they are.
func TestSessionRows(t *testing.T) {
	m := newModel(t, sessionModels["plain"])
	const length = 29
	texts := [][]int32{text(1, length, 50), text(2, length, 50), text(3, length, 50)}
	var want []*tensor.Tensor
	var sessions []*mega.Session
	for i, tokens := range texts {
		want = append(want, fullLogProbs(t, m, tokens))
		s := m.NewSession()
		if err := s.Prefill(tokens[:5+3*i]); err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	s, err := mega.Join(sessions...)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Prefill(make([]int32, 6)); err == nil {
		t.Error("several tokens at once for texts at different positions: no error")
	}
	order := []int{0, 1, 2}
	for _, next := range [][]int{{0, 1, 2}, {2, 0, 1}, {1, 1, 0, 2}, {3, 1}, {1}, {0, 0}} {
		if err := s.Reorder(next...); err != nil {
			t.Fatal(err)
		}
		var now []int
		for _, r := range next {
			now = append(now, order[r])
		}
		order = now
		for range 3 {
			var tokens []int32
			for row, which := range order {
				tokens = append(tokens, texts[which][s.Position(row)])
			}
			got, err := s.Step(tokens...)
			if err != nil {
				t.Fatal(err)
			}
			for row, which := range order {
				checkNext(t, got[row*50:][:50], want[which], s.Position(row)-1, 5+3*which)
			}
		}
	}
}

// A clone, and a session saved and loaded, go on bit for bit, and leave the
// other as it was.
func TestSessionCopies(t *testing.T) {
	for name, change := range sessionModels {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, change)
			tokens := text(4, 40, 50)
			s := m.NewSession()
			if err := s.Prefill(tokens[:21]); err != nil {
				t.Fatal(err)
			}
			clone := s.Clone()
			var file bytes.Buffer
			if err := s.Save(&file); err != nil {
				t.Fatal(err)
			}
			var want [][]float32
			for _, token := range tokens[21:] {
				p, err := s.Step(token)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, slices.Clone(p))
			}
			loaded, err := m.LoadSession(&file)
			if err != nil {
				t.Fatal(err)
			}
			for what, s := range map[string]*mega.Session{"clone": clone, "loaded": loaded} {
				for i, token := range tokens[21:] {
					p, err := s.Step(token)
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(p, want[i]) {
						t.Fatalf("%s: other numbers after %d tokens", what, i+1)
					}
				}
			}
		})
	}
}

// Many sessions of one model at once give what each gives alone.
func TestSessionsAtOnce(t *testing.T) {
	m := newModel(t, sessionModels["plain"])
	empty := m.NewSession()
	var done sync.WaitGroup
	for i := range 8 {
		tokens := text(uint64(i), 30, 50)
		want := fullLogProbs(t, m, tokens)
		done.Go(func() {
			s := empty.Clone()
			if err := s.Prefill(tokens[:i+1]); err != nil {
				t.Error(err)
			}
			for at := i + 1; at < len(tokens); at++ {
				got, err := s.Step(tokens[at])
				if err != nil {
					t.Error(err)
				} else if d := farthest(got, want.Row(at)); d > 1e-5 {
					t.Errorf("session %d, token %d: off by %.2g", i, at, d)
				}
			}
		})
	}
	done.Wait()
}

// A step allocates nothing.
func TestStepAllocates(t *testing.T) {
	skipUnderRace(t)
	m := newModel(t, sessionModels["plain"])
	for _, rows := range []int{1, 3} {
		s := m.NewBatch(rows)
		tokens := text(5, rows, 50)
		step := func() {
			if _, err := s.Step(tokens...); err != nil {
				t.Fatal(err)
			}
		}
		for range 8 { // a chunk, which takes memory
			step()
		}
		if n := testing.AllocsPerRun(50, step); n != 0 {
			t.Errorf("a step of %d rows allocates %g times", rows, n)
		}
	}
}

func TestSessionErrors(t *testing.T) {
	m := newModel(t, sessionModels["plain"])
	other := newModel(t, func(c *mega.LanguageModelConfig) { c.Seed = 9 })
	simple := newModel(t, func(c *mega.LanguageModelConfig) {
		c.RelPosBias, c.DecoderChunkSize, c.MaxTargetPositions = "simple", -1, 10
	})
	read := m.NewSession()
	if err := read.Prefill([]int32{4, 5, 6}); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := read.Save(&file); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no tokens":    {m.NewSession().Prefill(nil), "one at least"},
		"uneven":       {m.NewBatch(2).Prefill([]int32{4, 5, 6}), "3 tokens for a session of 2 texts"},
		"vocabulary":   {m.NewSession().Prefill([]int32{4, 50}), "token 50 at row 0, position 1, is outside the vocabulary of 50"},
		"negative":     {m.NewSession().Prefill([]int32{-1}), "token -1"},
		"step":         {second(m.NewBatch(2).Step(4)), "a step of 1 tokens in a session of 2 texts"},
		"too long":     {simple.NewSession().Prefill(text(1, 11, 50)), "attention over 11 positions"},
		"reorder":      {m.NewSession().Reorder(1), "no row 1 in a session of 1"},
		"no rows":      {m.NewSession().Reorder(), "one at least"},
		"save":         {m.NewSession().Save(io.Discard), "nothing has been read"},
		"join":         {second(mega.Join()), "no sessions"},
		"two models":   {second(mega.Join(m.NewSession(), other.NewSession())), "different models"},
		"one unread":   {second(mega.Join(m.NewSession(), read.Clone())), "nothing has been read"},
		"other model":  {second(other.LoadSession(bytes.NewReader(file.Bytes()))), "saved with another model"},
		"truncated":    {second(m.LoadSession(bytes.NewReader(file.Bytes()[:file.Len()-1]))), "load a session"},
		"no file":      {second(m.LoadSession(strings.NewReader(""))), "too few for a safetensors file"},
		"another file": {second(m.LoadSession(anotherFile(t))), `format is ""`},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, c.err, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func anotherFile(t *testing.T) io.Reader {
	var b bytes.Buffer
	if err := safetensors.Encode(&b, []safetensors.Tensor{safetensors.Of("x", []int{1}, []float32{1})}, nil); err != nil {
		t.Fatal(err)
	}
	return &b
}

// TestChunkOfAConfiguration reads a few tokens with a model whose chunks are longer
// than any text: memory follows what is read, not what is claimed.
func TestChunkOfAConfiguration(t *testing.T) {
	m := newModel(t, func(c *mega.LanguageModelConfig) { c.DecoderChunkSize, c.RelPosBias = 1<<24, "rotary" })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := m.NewSession().Prefill(text(1, 300, 50)); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("300 tokens took %d MiB", used>>20)
	}
}

// TestFreezeLanguageModel: sessions of a frozen model say what others do, and
// once it is thawed new ones see parameters that have changed.
func TestFreezeLanguageModel(t *testing.T) {
	for name, change := range sessionModels {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, change)
			tokens := text(5, 40, m.Config().VocabSize)
			read := func() []float32 {
				s := m.NewSession()
				if err := s.Prefill(tokens[:30]); err != nil {
					t.Fatal(err)
				}
				for _, token := range tokens[30:] {
					if _, err := s.Clone().Step(token); err != nil {
						t.Fatal(err)
					}
					if _, err := s.Step(token); err != nil {
						t.Fatal(err)
					}
				}
				return slices.Clone(s.LogProbs())
			}
			want := read()
			thaw := m.Freeze()
			if d := farthest(read(), want); d > 1e-5 {
				t.Errorf("frozen, log-probabilities differ by %g of the largest", d)
			}
			for _, p := range m.Params().All() {
				for i := range p.Value().Data() {
					p.Value().Data()[i] *= 1.1
				}
			}
			thaw()
			changed := read()
			if d := farthest(changed, want); d < 1e-3 {
				t.Errorf("other parameters change log-probabilities by %g", d)
			}
			for form, set := range map[string]func(bool){"bfloat16": m.SetBF16, "int8": m.SetInt8} {
				set(true)
				thaw := m.Freeze()
				if d := farthest(read(), changed); !(d > 0 && d < 0.1) {
					t.Errorf("%s changes log-probabilities by %g", form, d)
				}
				thaw()
				set(false)
			}
		})
	}
}

// Weights that are multiples of their rows' scales are not rounded in int8: sessions
// say what those of float32 weights do.
func TestFreezeInt8(t *testing.T) {
	m := newModel(t, sessionModels["projected"])
	for _, p := range m.Params().All() {
		if x := p.Value(); strings.HasSuffix(p.Name, ".weight") && len(p.Shape()) == 2 {
			q := make([]int8, x.Cols())
			for i := range x.Rows() {
				scale := kernel.QuantizeInt8(q, x.Row(i), 1)
				for j, v := range q {
					x.Row(i)[j] = float32(v) * scale
				}
			}
		}
	}
	read := func() []float32 {
		defer m.Freeze()()
		s := m.NewBatch(2)
		if err := s.Prefill(text(6, 40, m.Config().VocabSize)); err != nil {
			t.Fatal(err)
		}
		p, err := s.Step(5, 7)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(p)
	}
	want := read()
	m.SetInt8(true)
	if d := farthest(read(), want); d > 1e-6 {
		t.Errorf("int8 changes log-probabilities by %g of the largest", d)
	}
}
