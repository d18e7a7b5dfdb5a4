package translate

import (
	"bytes"
	"context"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/train"
)

const pairData = "../../data/pairs/testdata/mt"

// goldenTranslator returns the official implementation's small translator.
func goldenTranslator(t *testing.T) Ensemble {
	t.Helper()
	ck, err := checkpoint.Open("../../testdata/golden/mt_wmt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ck.Close() })
	m, err := ck.Translator()
	if err != nil {
		t.Fatal(err)
	}
	return Ensemble{m}
}

func openPairs(t *testing.T, c DataConfig) *Corpus {
	t.Helper()
	corpus, err := OpenCorpus(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { corpus.Close() })
	return corpus
}

// TestGenerateAsReference: the lines of the official generate.py, in its order,
// with scores within 1e-4.
func TestGenerateAsReference(t *testing.T) {
	m := goldenTranslator(t)
	for _, c := range []struct {
		file, split       string
		size, beam, nbest int
		lenpen            float64
	}{
		{"mt_test_beam5.out", "test", 50, 5, 1, 0.5},
		{"mt_valid_beam4_nbest2.out", "valid", 7, 4, 2, 1.2},
	} {
		d := DefaultDataConfig()
		d.Data, d.SourceLang, d.TargetLang, d.BatchSize = pairData, "en", "de", c.size
		s := generate.Searcher{Options: generate.DefaultOptions()}
		s.Options.Beam, s.Options.NBest, s.Options.LenPen = c.beam, c.nbest, c.lenpen
		o := DefaultGenerateOptions()
		o.Subset = c.split
		var out bytes.Buffer
		g, err := Generate(context.Background(), train.NewEvaluator(train.Alone{}, nil), m, openPairs(t, d), s, o, &out)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.WriteText(&out); err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile("testdata/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		compareLines(t, c.file, out.String(), string(want), 1.0001e-4)
	}
}

// compareLines compares outputs field by field, numbers to a tolerance.
func compareLines(t *testing.T, name, got, want string, tolerance float64) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	if len(g) != len(w) {
		t.Fatalf("%s: %d lines, want %d", name, len(g), len(w))
	}
	wrong := 0
	for i := range w {
		a, b := strings.Fields(g[i]), strings.Fields(w[i])
		same := len(a) == len(b)
		for k := 0; same && k < len(b); k++ {
			x, errX := strconv.ParseFloat(a[k], 64)
			y, errY := strconv.ParseFloat(b[k], 64)
			same = a[k] == b[k] || errX == nil && errY == nil && math.Abs(x-y) <= tolerance
		}
		if !same {
			if wrong++; wrong <= 5 {
				t.Errorf("%s:%d:\n got %s\nwant %s", name, i+1, g[i], w[i])
			}
		}
	}
	if wrong > 5 {
		t.Errorf("%s: %d lines differ", name, wrong)
	}
}
