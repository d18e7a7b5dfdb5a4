package driver

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/internal/cuda/kernels"
)

// TestPool holds that equal steps get equal addresses, and ask the driver for no more
// memory than the first.
func TestPool(t *testing.T) {
	s := newStandin()
	dev := openStandin(t, s)
	step := func(s *Stream) (addresses []uint64) {
		take := func(n int) uint64 {
			at, err := s.Alloc(n)
			if err != nil {
				t.Fatal(err)
			}
			addresses = append(addresses, at)
			return at
		}
		a, b := take(1000), take(1000)
		c := take(5000)
		s.Free(b)
		d, e := take(1010), take(0)
		for _, at := range []uint64{a, c, d, e} {
			if err := s.Free(at); err != nil {
				t.Error(err)
			}
		}
		return addresses
	}
	err := dev.Run(func(stream *Stream) error {
		first := step(stream)
		if first[3] != first[1] || first[0]%256 != 0 {
			t.Errorf("addresses are %#x", first)
		}
		second := step(stream)
		calls := len(s.log)
		for range 3 {
			if again := step(stream); !slices.Equal(again, second) {
				t.Errorf("addresses are %#x, want %#x", again, second)
			}
		}
		if len(s.log) != calls {
			t.Errorf("the driver was called for memory that was there: %q", s.log[calls:])
		}
		if now, peak := stream.Used(); now != 0 || peak != 2*1024+5120+256 {
			t.Errorf("%d bytes are in use, and %d at most", now, peak)
		}
		if err := stream.Free(first[0]); err == nil {
			t.Error("memory can be freed twice")
		}
		if err := stream.Free(first[0] + 4); err == nil {
			t.Error("what was never allocated can be freed")
		}
		_, err := stream.Alloc(-1)
		if err == nil {
			t.Error("-1 bytes can be had")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestBlocks holds that blocks are large enough and waste little.
func TestBlocks(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 2048, 2049, 4095, 4096, 4097, 1 << 20, 1<<20 + 1, 3<<20 - 1, math.MaxInt32} {
		if b := block(n); b < n || b < 256 || b%256 != 0 || n > 4096 && b > n+n/8 || block(b) != b {
			t.Errorf("%d bytes get a block of %d", n, b)
		}
	}
}

// TestShortage holds that memory that was freed goes back to the driver when other is
// wanted, unless graphs may use it, and what the error says when there is none.
func TestShortage(t *testing.T) {
	s := newStandin()
	s.capacity = 96 << 10
	dev := openStandin(t, s)
	err := dev.Run(func(s *Stream) error {
		a, err := s.Alloc(64 << 10)
		if err != nil {
			return err
		}
		if err := s.Fill(a, 1, 100); err != nil { // is done before the memory goes back
			return err
		}
		if err := s.Free(a); err != nil {
			return err
		}
		if a, err = s.Alloc(96 << 10); err != nil {
			return err
		}
		const want = "; 32.0 KiB wanted, 96.0 KiB in use, 0.0 KiB kept, 0.0 KiB of the device's 96.0 KiB free"
		if _, err := s.Alloc(32 << 10); err == nil || !strings.Contains(err.Error(), "taking memory: cuMemAlloc_v2 returned 2") || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("the error is %v, want one that ends with %s", err, want)
		}
		g, err := s.Capture(func() error { return kernels.Fill(s, a, 2, 10) })
		if err != nil {
			return err
		}
		if err := s.Free(a); err != nil {
			return err
		}
		if _, err := s.Alloc(32 << 10); err == nil {
			t.Error("memory of a graph was given away")
		}
		if err := errors.Join(g.Replay(), g.Drop()); err != nil {
			return err
		}
		_, err = s.Alloc(32 << 10)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
