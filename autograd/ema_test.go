package autograd

import (
	"fmt"
	"testing"

	"github.com/mega-go/mega/internal/naive"
	"github.com/mega-go/mega/tensor"
)

// slowEMA returns the average of x [B·L×D] plus omega x: naive.EMA but for the
// silu. p are delta, alpha, beta [K·N×1], gamma [K×N] and omega.
func slowEMA(x, delta, alpha, beta, gamma, omega *naive.Matrix, batch int, mask []bool, c EMAConfig) *naive.Matrix {
	if c.Swapped {
		delta, alpha = alpha, delta
	}
	square := func(x *naive.Matrix) *naive.Matrix {
		return naive.Gather(x, gamma.Rows, gamma.Cols, func(i, j int) int { return i*gamma.Cols + j })
	}
	e := naive.EMA{
		Delta: square(delta), Alpha: square(alpha), Beta: square(beta), Gamma: gamma, Omega: omega,
		Truncation: c.Truncation, Shifted: c.Shifted,
	}
	length := x.Rows / batch
	seen := naive.Fill(x, 0, func(i, _ int) bool { return mask != nil && mask[i] })
	kernel := e.Kernel(length)
	var y []*naive.Matrix
	for b := range batch {
		y = append(y, e.Convolution(naive.Rows(seen, b*length, (b+1)*length), kernel))
	}
	return naive.Add(naive.ConcatRows(y...), naive.Mul(x, omega))
}

func TestEMA(t *testing.T) {
	cases := []struct{ batch, length, dim, states, truncation int }{
		{1, 1, 1, 1, 0}, {2, 1, 5, 2, 0}, {1, 9, 1, 16, -1}, {2, 33, 7, 2, 0}, {3, 40, 17, 3, 0},
		{2, 17, 4, 2, 1}, {1, 20, 16, 2, 7}, {2, 12, 3, 4, 12}, {1, 12, 3, 1, 99},
		{1, 5, 2, 17, 0}, {2, 7, 1, 33, 3}, // more states than kernels of devices take
	}
	for _, kind := range []EMAConfig{{}, {Bidirectional: true}, {Bidirectional: true, Swapped: true, Shifted: true}} {
		for _, c := range cases {
			for name, mask := range masks(c.batch, c.length) {
				rows := c.dim
				if kind.Bidirectional {
					rows *= 2
				}
				states := shape{rows, c.states, 1}
				config := kind
				config.States, config.Truncation = c.states, c.truncation
				checkGrad(t, fmt.Sprint(c, kind.Bidirectional, kind.Swapped, " ", name), operation{
					fast: func(t *Tape, x []*Variable) *Variable {
						return t.EMA(x[0], mask, EMAParameters{x[1], x[2], x[3], x[4], x[5]}, config, nil)
					},
					slow: func(x []*naive.Matrix) *naive.Matrix {
						return slowEMA(x[0], x[1], x[2], x[3], x[4], x[5], c.batch, mask, config)
					},
					leaves: 5, device: 4,
				}, shape{c.batch, c.length, c.dim}, states, states, states, shape{rows, c.states}, shape{c.dim})
			}
		}
	}
}

// masks returns masks of a batch: none, the end of the last sequence and the
// start of the first, and everything.
func masks(batch, length int) map[string][]bool {
	ends, all := make([]bool, batch*length), make([]bool, batch*length)
	for i := range all {
		all[i] = true
	}
	for i := range length / 3 {
		ends[i], ends[batch*length-1-i] = true, true
	}
	return map[string][]bool{"no mask": nil, "ends": ends, "all": all}
}

// TestEMAErrors: an average of a range of columns, or one whose parameters may
// be gone when backward reads them, is an error of the program.
func TestEMAErrors(t *testing.T) {
	tape := NewTape()
	param := func(s ...int) *Variable { return NewParameter(tensor.New(s...)) }
	whole, p := param(1, 3, 2), EMAParameters{param(2, 1, 1), param(2, 1, 1), param(2, 1, 1), param(2, 1), param(2)}
	computed := p
	computed.Omega = tape.Activate(SiLU, p.Omega)
	panics(t, "columns", func() {
		tape.EMA(tape.Split(NewConstant(tensor.New(1, 3, 4)), 2, 2)[0], nil, p, EMAConfig{States: 1}, nil)
	})
	panics(t, "no leaf", func() { tape.EMA(whole, nil, computed, EMAConfig{States: 1}, nil) })
	tape.EMA(whole, nil, p, EMAConfig{States: 1}, nil)
}

// panics wants f to panic.
func panics(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}
