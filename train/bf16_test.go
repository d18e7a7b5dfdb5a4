package train_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/train"
)

// A run in bfloat16 learns other weights than one in float32, and the same on
// any number of workers.
func TestTrainingInBF16(t *testing.T) {
	if err := autograd.CheckBF16(); err != nil {
		t.Skip(err)
	}
	run := func(bf16 bool, workers int) []uint32 {
		c := sumsConfig(10)
		c.BF16 = bf16
		s := newSums(t, "layernorm")
		if _, err := train.Run(context.Background(), s, c, train.Options{Workers: autograd.NewWorkers(workers)}); err != nil {
			t.Fatal(err)
		}
		return bits(s.Params())
	}
	half := run(true, 1)
	if slices.Equal(half, run(false, 1)) {
		t.Error("the same weights as in float32")
	}
	if !slices.Equal(half, run(true, 3)) {
		t.Error("other weights on three workers than on one")
	}
}

func TestBF16NeedsTheInstructions(t *testing.T) {
	defer kernel.Use(kernel.Current())
	if err := kernel.Use(kernel.Generic); err != nil {
		t.Fatal(err)
	}
	c := sumsConfig(1)
	c.BF16 = true
	_, err := train.Run(context.Background(), newSums(t, "layernorm"), c, train.Options{})
	if err == nil || !strings.Contains(err.Error(), "bf16 is set") {
		t.Errorf("error %v", err)
	}
}
