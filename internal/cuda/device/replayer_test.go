package device

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/internal/cuda/ptx"
)

var module = sync.OnceValues(func() (*ptx.Module, error) { return ptx.Parse(kernels.PTX) })

// A counter is a device that counts what is given to it, and has little memory.
type counter struct {
	*Interpreter
	launches, captures, replays, drops, blocks int
	most                                       int // blocks of memory
	capturable                                 int // sequences
	graphs, mostGraphs                         int // that there are, and that there can be; 0 for any number
}

func (c *counter) Alloc(bytes int) (Address, error) {
	if c.blocks >= c.most {
		return 0, errors.New("no memory")
	}
	c.blocks++
	return c.Interpreter.Alloc(bytes)
}

func (c *counter) Free(at Address) error {
	c.blocks--
	return c.Interpreter.Free(at)
}

func (c *counter) Launch(kernel string, grid, block [3]int, args ...any) error {
	c.launches++
	return c.Interpreter.Launch(kernel, grid, block, args...)
}

func (c *counter) Capture(f func() error) (Graph, error) {
	c.captures++
	if c.captures > c.capturable {
		return nil, errors.New("it captures no more")
	}
	if c.mostGraphs > 0 && c.graphs >= c.mostGraphs {
		return nil, errors.New("no memory for a graph")
	}
	c.graphs++
	g, err := c.Interpreter.Capture(f)
	return counted{g, c}, err
}

type counted struct {
	Graph
	of *counter
}

func (g counted) Replay() error { g.of.replays++; return g.Graph.Replay() }
func (g counted) Drop() error   { g.of.drops++; g.of.graphs--; return g.Graph.Drop() }

func newCounter(t *testing.T) (*counter, *Replayer) {
	t.Helper()
	m, err := module()
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{Interpreter: NewInterpreter(m), most: 100, capturable: 100}
	r, err := NewReplayer(c)
	if err != nil {
		t.Fatal(err)
	}
	return c, r
}

func floats(x ...float32) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, x)
	if err != nil {
		panic(err)
	}
	return b
}

// scaled returns s x by a device, x having been written to memory of which more is used
// meanwhile.
func scaled(d Device, at Address, s float32, x ...float32) ([]float32, error) {
	got, data := make([]float32, len(x)), make([]byte, 4*len(x))
	err := errors.Join(
		d.Write(at, floats(x...)), kernels.Scale(d, at+256, at, s, len(x)),
		d.Write(at, floats(make([]float32, len(x))...)), kernels.Add(d, at, at, at+256, len(x)), d.Read(data, at))
	if err == nil {
		_, err = binary.Decode(data, binary.LittleEndian, got)
	}
	return got, err
}

// TestReplayer holds that what comes again is replayed, with what is written anew, and that
// another argument is another graph, down to the sign of zero.
func TestReplayer(t *testing.T) {
	c, r := newCounter(t)
	at, err := r.Alloc(512)
	if err != nil {
		t.Fatal(err)
	}
	negative := float32(math.Copysign(0, -1))
	for i, step := range []struct {
		s        float32
		captures int
		replays  int
	}{{2, 0, 0}, {2, 1, 1}, {2, 1, 2}, {0, 1, 2}, {negative, 1, 2}, {0, 2, 3}, {negative, 3, 4}, {2, 3, 5}, {3, 3, 5}, {2, 3, 6}} {
		x := []float32{float32(i) + 1, -7}
		got, err := scaled(r, at, step.s, x...)
		for j := range x {
			x[j] = step.s*x[j] + 0
		}
		if err != nil || !slices.Equal(got, x) {
			t.Errorf("step %d gives %v, want %v; %v", i, got, x, err)
		}
		if c.captures != step.captures || c.replays != step.replays {
			t.Errorf("after step %d there were %d captures and %d replays, want %d and %d", i, c.captures, c.replays, step.captures, step.replays)
		}
	}
	if w := r.Work(); w != (Work{Launches: 40, Replayed: 24, Replays: 6}) {
		t.Errorf("the work is %+v", w)
	}
}

// TestReplayerGathers holds that nothing runs before its sequence ends, and that long ones
// end by themselves.
func TestReplayerGathers(t *testing.T) {
	c, r := newCounter(t)
	at, err := r.Alloc(4)
	if err != nil {
		t.Fatal(err)
	}
	r.longest = 5
	for i := range 7 {
		if err := kernels.Fill(r, at, 1, 1); err != nil {
			t.Fatal(err)
		}
		if want := i / 4 * 5; c.launches != want {
			t.Errorf("%d launches after %d were given, want %d", c.launches, i+1, want)
		}
	}
	if err := errors.Join(r.Flush(), r.Flush()); err != nil || c.launches != 7 {
		t.Errorf("%d launches at the end, %v", c.launches, err)
	}
	if err := r.Write(at, make([]byte, largestStaged+1)); err == nil {
		t.Error("more is written than there is memory")
	}
}

// TestReplayerMemory holds that graphs give their memory back where there is none, that old
// ones make room for new ones, and that memory is free only when work before is given.
func TestReplayerMemory(t *testing.T) {
	c, r := newCounter(t)
	at, err := r.Alloc(512)
	if err != nil {
		t.Fatal(err)
	}
	for i := range mostGraphs + 3 {
		for range 2 {
			if _, err := scaled(r, at, float32(i), 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	if c.drops != 3 || len(r.graphs) != mostGraphs || c.blocks != 1+mostGraphs {
		t.Errorf("%d graphs were dropped, %d are left with %d blocks", c.drops, len(r.graphs), c.blocks)
	}
	c.most = c.blocks
	if _, err := r.Alloc(4); err != nil || len(r.graphs) != 0 || c.blocks != 2 {
		t.Errorf("%d graphs are left where memory is short, with %d blocks; %v", len(r.graphs), c.blocks, err)
	}
	c.most = c.blocks
	if _, err := r.Alloc(4); err == nil {
		t.Error("there is memory beyond all")
	}
	if err := errors.Join(kernels.Fill(r, at, 1, 1), r.Free(at)); err != nil {
		t.Error(err)
	}
}

// TestReplayerGivesUp holds that where a capture fails, once there are graphs, all that comes
// runs one by one, with the results of before, that this is told once, and that no memory of
// graphs is left.
func TestReplayerGivesUp(t *testing.T) {
	c, _ := newCounter(t)
	var told []error
	r := Replaying(c, func(err error) { told = append(told, err) }).(*Replayer)
	at, err := r.Alloc(512)
	if err != nil {
		t.Fatal(err)
	}
	c.capturable = 1
	for i, s := range []float32{2, 2, 2, 3, 3, 3, 2, 4, 4} {
		if got, err := scaled(r, at, s, 1, float32(i)); err != nil || !slices.Equal(got, []float32{s, s * float32(i)}) {
			t.Errorf("step %d gives %v, %v", i, got, err)
		}
	}
	if len(told) != 1 || r.Plain() != told[0] || told[0].Error() != "it captures no more" {
		t.Errorf("%v was told, and Plain is %v", told, r.Plain())
	}
	if c.captures != 3 || c.replays != 2 || c.drops != 1 || c.blocks != 1 {
		t.Errorf("%d captures, %d replays, %d drops and %d blocks of memory, want 3, 2, 1 and 1", c.captures, c.replays, c.drops, c.blocks)
	}
}

// TestReplayerMakesRoom holds that graphs make room for one more where a device cannot make it
// beside them, with results as before, and that there are graphs from then on.
func TestReplayerMakesRoom(t *testing.T) {
	c, r := newCounter(t)
	at, err := r.Alloc(512)
	if err != nil {
		t.Fatal(err)
	}
	c.mostGraphs = 2
	for i, s := range []float32{2, 2, 3, 3, 4, 4, 4, 3, 3, 3} {
		if got, err := scaled(r, at, s, 1, float32(i)); err != nil || !slices.Equal(got, []float32{s, s * float32(i)}) {
			t.Errorf("step %d gives %v, %v", i, got, err)
		}
	}
	if r.Plain() != nil || c.drops != 2 || c.replays != 6 || len(r.graphs) != 2 || c.blocks != 3 {
		t.Errorf("%d drops, %d replays, %d graphs and %d blocks of memory, want 2, 6, 2 and 3; %v", c.drops, c.replays, len(r.graphs), c.blocks, r.Plain())
	}
}

// TestReplayerWithoutRoom holds that a sequence runs one by one while there is no memory for
// its graph, and by a graph when there is.
func TestReplayerWithoutRoom(t *testing.T) {
	c, r := newCounter(t)
	at, err := r.Alloc(512)
	if err != nil {
		t.Fatal(err)
	}
	for i, most := range []int{1, 1, 1, 2, 2} {
		c.most = most
		if got, err := scaled(r, at, 2, 1, float32(i)); err != nil || !slices.Equal(got, []float32{2, 2 * float32(i)}) {
			t.Errorf("step %d gives %v, %v", i, got, err)
		}
	}
	if c.replays != 2 || r.Plain() != nil {
		t.Errorf("%d replays, %v", c.replays, r.Plain())
	}
}

// TestReplayerErrors holds that what is wrong with a launch is said at the end of its
// sequence, whether it runs or is captured, and what has no graphs.
func TestReplayerErrors(t *testing.T) {
	_, r := newCounter(t)
	for range 3 {
		if err := r.Launch("nothing", [3]int{1, 1, 1}, [3]int{1, 1, 1}, uint64(1)); err != nil {
			t.Error(err)
		}
		if err := r.Read(make([]byte, 4), 1); err == nil || !strings.Contains(err.Error(), "no kernel nothing") {
			t.Errorf("a launch of no kernel: %v", err)
		}
	}
	if _, err := NewReplayer(struct{ Device }{r}); err == nil || err.Error() != "the device interpreter has no graphs" {
		t.Errorf("a device without graphs: %v", err)
	}
	if on := Replaying(r, nil); on != Device(r) {
		t.Errorf("a replayer is replayed by %v", on)
	}
	if Replaying(nil, nil) != nil {
		t.Error("no device is replayed")
	}
	if fmt.Sprint(r) != "interpreter" {
		t.Errorf("the replayer is called %v", r)
	}
}
