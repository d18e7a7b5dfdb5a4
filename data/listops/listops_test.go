package listops

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mega-go/mega/data"
)

func parse(t *testing.T, s string) Expression {
	t.Helper()
	e, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEval(t *testing.T) {
	for s, want := range map[string]int{
		"7":                     7,
		"[MIN 4 2 ]":            2,
		"[MAX 4 2 9 1 ]":        9,
		"[MED 1 5 8 9 2 ]":      5,
		"[MED 1 4 ]":            2, // the median 2.5, rounded down
		"[MED 9 1 3 4 ]":        3,
		"[SM 9 9 5 ]":           3,
		"( ( ( [SM 9 ) 2 ) ] )": 1,
		// The example of the Long Range Arena paper.
		"[MAX 4 3 [MIN 2 3 ] 1 0 [MED 1 5 8 9 2 ] ]": 5,
		// Arguments of one operation must not be seen by another.
		"[SM [MED 9 1 5 ] [MED 3 2 1 ] [MAX 0 1 ] ]": 8,
	} {
		if got, err := parse(t, s).Eval(); err != nil || got != want {
			t.Errorf("%s = %d, %v; want %d", s, got, err, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for s, want := range map[string]string{
		"":              "0 brackets are not closed in an expression of 0 tokens",
		"[MIN 2 3":      "1 brackets are not closed",
		"3 4":           "token 1: the expression ends here, but 1 tokens follow",
		"]":             "token 1: ] closes nothing",
		"[MIN ]":        "token 2: ] closes nothing or an operation without arguments",
		"[MAX 1 ] ]":    "token 3: the expression ends here",
		"[FOO 1 ]":      `unknown token "[FOO"`,
		"[MAX 10 ]":     `unknown token "10"`,
		"[MAX [MIN ] ]": "token 3: ] closes",
	} {
		if _, err := Parse(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", s, err, want)
		}
	}
}

// TestParentheses checks the form that the Long Range Arena writes.
func TestParentheses(t *testing.T) {
	for s, want := range map[string]string{
		"5":                    "5",
		"[MIN 2 3 ]":           "( ( ( [MIN 2 ) 3 ) ] )",
		"[SM 1 [MAX 2 3 ] 4 ]": "( ( ( ( [SM 1 ) ( ( ( [MAX 2 ) 3 ) ] ) ) 4 ) ] )",
		"[MED [MED 1 2 ] 3 ]":  "( ( ( [MED ( ( ( [MED 1 ) 2 ) ] ) ) 3 ) ] )",
	} {
		e := parse(t, s)
		if got := string(e.parenthesised()); got != want {
			t.Errorf("%s is written %s, want %s", s, got, want)
		}
		if e.String() != s || !slices.Equal(parse(t, want), e) {
			t.Errorf("%s does not come back from %s", s, want)
		}
	}
}

func TestGenerate(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		count  int
	}{
		"short":        {Short, 3000},
		"arena":        {LRA, 20},
		"defaults":     {Config{MinLength: 10, MaxLength: 100}, 100},
		"shallow":      {Config{MaxDepth: 2, MaxArgs: 3, MinLength: 3, MaxLength: 6}, 500},
		"digits alone": {Config{MaxDepth: 1, MaxArgs: 2, MinLength: 0, MaxLength: 2}, 10},
	} {
		expressions, err := c.config.Generate(c.count, 1)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		seen := map[string]bool{}
		for _, e := range expressions {
			checkBounds(t, c.config.withDefaults(), e)
			seen[e.String()] = true
		}
		if len(seen) != c.count {
			t.Errorf("%s: %d different expressions, want %d", name, len(seen), c.count)
		}
		again, _ := c.config.Generate(c.count, 1)
		if !slices.EqualFunc(expressions, again, slices.Equal) {
			t.Errorf("%s: the same seed gave other expressions", name)
		}
	}
}

// checkBounds checks one expression's length, depth and argument counts.
func checkBounds(t *testing.T, c Config, e Expression) {
	t.Helper()
	if _, err := e.Eval(); err != nil || len(e) <= c.MinLength || len(e) >= c.MaxLength {
		t.Fatalf("%v has %d tokens, %v; want more than %d and fewer than %d", e, len(e), err, c.MinLength, c.MaxLength)
	}
	arguments := []int{0}
	for _, token := range e {
		switch {
		case token == End:
			last := len(arguments) - 1
			if n := arguments[last]; n < 2 || n > c.MaxArgs {
				t.Fatalf("%v: an operation of %d arguments, want 2 to %d", e, n, c.MaxArgs)
			}
			arguments = arguments[:last]
		case token >= Min:
			arguments[len(arguments)-1]++
			arguments = append(arguments, 0)
			if len(arguments) > c.MaxDepth {
				t.Fatalf("%v: an operation at level %d of %d", e, len(arguments)-1, c.MaxDepth)
			}
		default:
			arguments[len(arguments)-1]++
		}
	}
}

// TestDistribution checks the grammar's probabilities on unbounded terms: a
// quarter of the terms above the last level are operations, the operators and
// the digits are alike frequent, arguments are 2 to 10, 6 on average.
func TestDistribution(t *testing.T) {
	c := Config{MaxDepth: 2, MaxArgs: 10, MinLength: 0, MaxLength: 100}
	g := newGenerator(c, 3)
	var counts [numTokens]float64
	operations, tokens := 0., 0.
	const n = 40000
	for range n {
		g.tokens = g.tokens[:0]
		if !g.term(1) {
			t.Fatal("a term of two levels is too long")
		}
		for _, token := range g.tokens {
			counts[token]++
		}
		if len(g.tokens) > 1 {
			operations++
			tokens += float64(len(g.tokens) - 2)
		}
	}
	near := func(name string, got, want, tolerance float64) {
		if got < want-tolerance || got > want+tolerance {
			t.Errorf("%s: %.4f, want %.4f within %.4f", name, got, want, tolerance)
		}
	}
	// Five standard deviations each.
	near("operations", operations/n, 0.25, 5*0.0022)
	near("arguments", tokens/operations, 6, 5*0.026)
	for op := Min; op < End; op++ {
		near(op.String(), counts[op]/operations, 0.25, 5*0.0043)
	}
	digits := tokens + n - operations
	for d := Token(0); d < 10; d++ {
		near(d.String(), counts[d]/digits, 0.1, 5*0.001)
	}
}

func TestGenerateErrors(t *testing.T) {
	for want, c := range map[string]Config{
		"depth -1":            {MaxDepth: -1, MaxArgs: 2, MaxLength: 9},
		"at most 1 arguments": {MaxDepth: 2, MaxArgs: 1, MaxLength: 9},
		"there are none":      {MaxDepth: 2, MaxArgs: 2, MinLength: 5, MaxLength: 6},
		"found only 10":       {MaxDepth: 1, MaxArgs: 2, MaxLength: 9},
	} {
		if _, err := c.Generate(11, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestDataset(t *testing.T) {
	d, err := NewDataset([]Expression{parse(t, "[MIN 7 3 ]"), parse(t, "5")})
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Collate([]int{1, 0})
	if err != nil {
		t.Fatal(err)
	}
	v := Vocabulary()
	for row, want := range []string{"5", "[MIN 7 3 ]"} {
		if got := v.Decode(b.Tokens[row*b.Length:][:b.Lengths[row]], "<unk>"); got != want {
			t.Errorf("row %d is %q, want %q", row, got, want)
		}
	}
	if b.Length != 5 || b.Tokens[2] != data.Pad || b.Tokens[9] != data.EOS || d.Size(0) != 5 {
		t.Errorf("tokens %v of length %d", b.Tokens, b.Length)
	}
	if !slices.Equal(b.Labels, []int32{5, 3}) || !slices.Equal(b.IDs, []int{1, 0}) || !slices.Equal(d.Labels(), []int32{3, 5}) {
		t.Errorf("labels %v, ids %v", b.Labels, b.IDs)
	}
	if err := b.Check(v.Len(), Classes); err != nil {
		t.Error(err)
	}
	if _, err := d.Collate([]int{2}); err == nil {
		t.Error("no error for a sample that is not there")
	}
}

func TestTSVRoundTrip(t *testing.T) {
	want, err := Short.Generate(50, 4)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "basic_test.tsv")
	if err := WriteTSV(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadTSV(path)
	if err != nil || !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%d expressions came back, %v", len(got), err)
	}
	if b, _ := os.ReadFile(path); !bytes.HasPrefix(b, []byte("Source\tTarget\r\n( ")) || bytes.Count(b, []byte("\r\n")) != 51 {
		t.Errorf("the file begins %.40q", b)
	}
}

func TestReadTSVErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "x.tsv: no expressions",
		"Source\tTarget\n":                "x.tsv: no expressions",
		"[MIN 1 2 ]\t1\n":                 "x.tsv:1: the heading is",
		"Source\tTarget\n[MIN 1 2 ] 1\n":  "x.tsv:2: want an expression, a tab and its value",
		"Source\tTarget\n[MIN 1 2 ]\t2\n": `x.tsv:2: the value is given as "2", but the expression's is 1`,
		"Source\tTarget\n5\t5\n[MIN\t1\n": "x.tsv:3: 1 brackets are not closed",
	} {
		if _, err := readTSV(strings.NewReader(text), "x.tsv"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

// TestWrittenFormsAgree: any expression comes back from both its forms.
func TestWrittenFormsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, err := Config{MaxDepth: 6, MaxArgs: 4, MinLength: 1, MaxLength: 60}.Generate(1, rapid.Uint64().Draw(t, "seed"))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{e[0].String(), string(e[0].parenthesised())} {
			if back, err := Parse(s); err != nil || !slices.Equal(back, e[0]) {
				t.Fatalf("%s came back as %v, %v", s, back, err)
			}
		}
	})
}

func FuzzReadTSV(f *testing.F) {
	f.Add([]byte("Source\tTarget\r\n( ( ( [MIN 2 ) 3 ) ] )\t2\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		expressions, err := readTSV(bytes.NewReader(text), "f")
		if err != nil {
			return
		}
		if _, err := NewDataset(expressions); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		if _, err := LRA.Generate(100, 1); err != nil {
			b.Fatal(err)
		}
	}
}
