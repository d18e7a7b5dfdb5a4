package mega_test

import (
	"math"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/naive"
)

// longText is how many tokens TestLongText reads unless MEGA_LONG_TEXT says
// another number, such as 1000000.
const longText = 50_000

// A long text takes no more memory than a short one, and its beginning is what
// the specification makes of it in one pass in float64.
func TestLongText(t *testing.T) {
	length := longText
	if n, err := strconv.Atoi(os.Getenv("MEGA_LONG_TEXT")); err == nil {
		length = n
	}
	m := newModel(t, func(*mega.LanguageModelConfig) {})
	const prefix, piece = 200, 10_000
	tokens := text(3, length, m.Config().VocabSize)
	s := m.NewSession()
	checkPrefix(t, s.Model(), tokens[:prefix])
	var early uint64
	start := time.Now()
	for from := 0; from < length; from += piece {
		if err := s.Prefill(tokens[from:min(from+piece, length)]); err != nil {
			t.Fatal(err)
		}
		if from == piece {
			early = heap()
		}
	}
	seconds := time.Since(start).Seconds()
	late := heap()
	t.Logf("%d tokens in one session, %.0f tokens/s; heap %d KiB after %d tokens, %d KiB at the end",
		length, float64(length)/seconds, early>>10, 2*piece, late>>10)
	if late > early+1<<16 {
		t.Errorf("the heap grew from %d to %d bytes", early, late)
	}
	if s.Position(0) != length {
		t.Errorf("position %d, want %d", s.Position(0), length)
	}
}

// heap returns the bytes that are in use, without what sync.Pools hold: how much
// that is depends on how many workers happened to compute at once. A pool is
// empty after two collections.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// checkPrefix compares all log-probabilities of a session's features with the
// specification's.
func checkPrefix(t *testing.T, m *mega.LanguageModel, tokens []int32) {
	t.Helper()
	x, err := m.NewSession().Features(tokens)
	if err != nil {
		t.Fatal(err)
	}
	tape := autograd.NewTape()
	got := tape.LogSoftmax(m.Scores(tape, x)).Value().Data()
	ids := make([]int, len(tokens))
	for i, token := range tokens {
		ids[i] = int(token)
	}
	out := specifyModel(t, m).Forward(naive.Batch{Tokens: [][]int{ids}})
	for i, want := range naive.LogSoftmax(out.Logits).Data {
		if math.Abs(float64(got[i])-want) > 1e-5 {
			t.Fatalf("log-probability %d is %g, want %g", i, got[i], want)
		}
	}
}
