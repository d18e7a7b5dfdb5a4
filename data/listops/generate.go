package listops

import (
	"cmp"
	"fmt"
	"math/rand/v2"
)

// valueP is the probability of an operation where one may stand.
const valueP = 0.25

// Config bounds the expressions of a task.
type Config struct {
	MaxDepth  int // levels; operations stand in all but the last; 0 means 10
	MaxArgs   int // arguments of an operation, 2 at least; 0 means 10
	MinLength int // the tokens of an expression are more than these
	MaxLength int // and fewer than these
}

// LRA is the task of the Long Range Arena.
var LRA = Config{MaxDepth: 10, MaxArgs: 10, MinLength: 500, MaxLength: 2000}

// Short is the same grammar at lengths that a small model learns in minutes.
var Short = Config{MaxDepth: 10, MaxArgs: 10, MinLength: 10, MaxLength: 100}

func (c Config) withDefaults() Config {
	c.MaxDepth = cmp.Or(c.MaxDepth, LRA.MaxDepth)
	c.MaxArgs = cmp.Or(c.MaxArgs, LRA.MaxArgs)
	return c
}

// Validate reports a bound that leaves no expressions.
func (c Config) Validate() error {
	switch {
	case c.MaxDepth < 0 || c.MaxDepth > 100:
		return fmt.Errorf("listops: depth %d, want 1 to 100", c.MaxDepth)
	case c.MaxArgs < 0 || c.MaxArgs == 1:
		return fmt.Errorf("listops: at most %d arguments, want 2 at least", c.MaxArgs)
	case c.MinLength < 0 || c.MaxLength < c.MinLength+2:
		return fmt.Errorf("listops: lengths above %d and below %d: there are none", c.MinLength, c.MaxLength)
	}
	return nil
}

// Generate returns count different expressions, the same for the same seed.
// It fails when the bounds seem to leave fewer.
func (c Config) Generate(count int, seed uint64) ([]Expression, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	g := newGenerator(c, seed)
	seen := make(map[string]struct{}, count)
	expressions := make([]Expression, 0, count)
	for idle := 0; len(expressions) < count; idle++ {
		if idle > maxIdle {
			return nil, fmt.Errorf("listops: found only %d different expressions of more than %d and fewer than %d tokens with %d levels and %d arguments at most",
				len(expressions), c.MinLength, c.MaxLength, c.MaxDepth, c.MaxArgs)
		}
		g.tokens = g.tokens[:0]
		if !g.term(1) || len(g.tokens) <= c.MinLength {
			continue
		}
		key := string(g.tokens)
		if _, ok := seen[key]; !ok {
			seen[key] = struct{}{}
			expressions = append(expressions, toExpression(g.tokens))
			idle = 0
		}
	}
	return expressions, nil
}

// maxIdle is how many terms in a row may be unfit or known before giving up.
// Of the terms of the Long Range Arena one in some hundreds fits.
const maxIdle = 1_000_000

// generator grows one term at a time in tokens.
type generator struct {
	Config
	random *rand.Rand
	tokens []byte
}

func newGenerator(c Config, seed uint64) *generator {
	return &generator{Config: c, random: rand.New(rand.NewPCG(seed, 0))}
}

// term appends a random term whose root is at the given level, counted from 1.
// It reports false, the term unfinished, as soon as it is too long.
func (g *generator) term(level int) bool {
	if len(g.tokens) >= g.MaxLength-1 {
		return false
	}
	if level >= g.MaxDepth || g.random.Float64() > valueP {
		g.tokens = append(g.tokens, byte(g.random.IntN(10)))
		return true
	}
	g.tokens = append(g.tokens, byte(Min)+byte(g.random.IntN(int(End-Min))))
	for range 2 + g.random.IntN(g.MaxArgs-1) {
		if !g.term(level + 1) {
			return false
		}
	}
	g.tokens = append(g.tokens, byte(End))
	return len(g.tokens) < g.MaxLength
}

func toExpression(tokens []byte) Expression {
	e := make(Expression, len(tokens))
	for i, t := range tokens {
		e[i] = Token(t)
	}
	return e
}
