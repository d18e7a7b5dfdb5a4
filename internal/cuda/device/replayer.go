package device

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
)

// A Graph is work of a device that can be given to it again, as it was, by one call.
type Graph interface {
	Replay() error
	Drop() error // waits until no replay runs
}

// A Capturer is a device with graphs.
type Capturer interface {
	Device
	// CanCapture returns nil, or why there are no graphs after all.
	CanCapture() error
	// Capture returns what f launches and copies as a graph, and runs none of it.
	Capture(f func() error) (Graph, error)
	// Copy copies bytes from one place on the device to another, after all launches before.
	Copy(to, from Address, bytes int) error
}

// A Replayer gives work to a device in sequences. One that comes a second time it captures,
// and from then on replays as a graph, by one call. Results are those of the device itself,
// bit for bit: a sequence is the same only if all its launches are, with their arguments.
//
// So steps are replayed whose shapes and addresses repeat. What changes from step to step,
// such as tokens or learning rates, kernels must read from memory that Write has set, whose
// bytes are no part of a sequence. A sequence ends where something is read, or where it
// gets long: the device has then something to do while the next one is put together.
//
// Where a device fails to capture a sequence that it runs, the Replayer drops the graphs that
// there are and tries once more. If that fails too it gives up graphs, and runs all that comes
// as it is.
type Replayer struct {
	on      Capturer
	steps   []step
	staged  []byte          // what the sequence writes
	seen    map[uint64]bool // sequences, by hash
	graphs  []*replay       // the last used one at the end
	seed    maphash.Seed
	total   Work
	longest int         // steps of a sequence
	plain   error       // why there are no more graphs, nil while there are
	tell    func(error) // is told of plain, once
}

// Work counts what a Replayer has given to its device.
type Work struct {
	Launches int // of kernels, and copies; those in graphs too
	Replayed int // those in graphs
	Replays  int // calls that gave a graph
}

// What a Replayer keeps and gathers at most.
const (
	mostGraphs    = 64
	mostSeen      = 1 << 16
	longestSteps  = 256
	largestStaged = 4 << 20 // bytes that a sequence writes; more at once is written by itself
)

// A step is a launch, or with no kernel a copy of bytes that the host has written.
type step struct {
	kernel      string
	grid, block [3]int
	args        []any
	to          Address
	from, bytes int // in staged
}

// A replay is a sequence with its graph.
type replay struct {
	steps  []step
	staged Address // on the device, 0 for none
	graph  Graph
}

// NewReplayer returns a replayer of a device. It is an error if the device has no graphs.
// All that computes together must do so by the replayer, and not by the device itself.
func NewReplayer(d Device) (*Replayer, error) {
	on, ok := d.(Capturer)
	if !ok {
		return nil, fmt.Errorf("the device %v has no graphs", d)
	}
	if err := on.CanCapture(); err != nil {
		return nil, err
	}
	return &Replayer{on: on, seen: make(map[uint64]bool), seed: maphash.MakeSeed(), longest: longestSteps}, nil
}

// Replaying returns a replayer of a device that has graphs, and else the device itself. tell
// is told once why, if the device fails at graphs later.
func Replaying(d Device, tell func(error)) Device {
	if r, err := NewReplayer(d); err == nil {
		r.tell = tell
		return r
	}
	return d
}

// Plain returns nil, or why there are no more graphs.
func (r *Replayer) Plain() error { return r.plain }

// String implements Memory.
func (r *Replayer) String() string { return r.on.String() }

// SetTF32 implements Device.
func (r *Replayer) SetTF32(on bool) { r.on.SetTF32(on) }

// TF32 implements Device.
func (r *Replayer) TF32() bool { return r.on.TF32() }

// Used returns how many bytes of the device are in use and the most that ever were, 0 if it
// does not tell.
func (r *Replayer) Used() (now, peak int) {
	if d, ok := r.on.(interface{ Used() (now, peak int) }); ok {
		return d.Used()
	}
	return 0, 0
}

// Work returns what was given to the device so far.
func (r *Replayer) Work() Work { return r.total }

// Alloc implements Memory. Where there is no memory, graphs are dropped: while there are
// any, a device gives none back that was freed.
func (r *Replayer) Alloc(bytes int) (Address, error) {
	at, err := r.on.Alloc(bytes)
	if err == nil || len(r.graphs) == 0 {
		return at, err
	}
	if err := r.Drop(); err != nil {
		return 0, err
	}
	return r.on.Alloc(bytes)
}

// Free implements Memory.
func (r *Replayer) Free(at Address) error {
	if err := r.Flush(); err != nil {
		return err
	}
	return r.on.Free(at)
}

// Write implements Memory. The bytes are on the device when the sequence comes to them.
func (r *Replayer) Write(at Address, data []byte) error {
	if len(data) > largestStaged {
		if err := r.Flush(); err != nil {
			return err
		}
		return r.on.Write(at, data)
	}
	if len(r.staged)+len(data) > largestStaged {
		if err := r.Flush(); err != nil {
			return err
		}
	}
	const alignment = 16
	from := (len(r.staged) + alignment - 1) / alignment * alignment
	r.staged = append(append(r.staged, make([]byte, from-len(r.staged))...), data...)
	return r.add(step{to: at, from: from, bytes: len(data)})
}

// Read implements Memory.
func (r *Replayer) Read(data []byte, at Address) error {
	if err := r.Flush(); err != nil {
		return err
	}
	return r.on.Read(data, at)
}

// Launch implements Device. What is wrong with a launch is said at the end of its sequence.
func (r *Replayer) Launch(kernel string, grid, block [3]int, args ...any) error {
	return r.add(step{kernel: kernel, grid: grid, block: block, args: args})
}

func (r *Replayer) add(s step) error {
	r.steps = append(r.steps, s)
	if len(r.steps) < r.longest {
		return nil
	}
	return r.Flush()
}

// Flush ends the sequence, and gives it to the device without waiting for it.
func (r *Replayer) Flush() error {
	if len(r.steps) == 0 {
		return nil
	}
	steps, staged := r.steps, r.staged
	r.steps, r.staged = nil, nil
	r.total.Launches += len(steps)
	if r.plain != nil {
		return r.runPlain(steps, staged)
	}
	i := slices.IndexFunc(r.graphs, func(g *replay) bool { return slices.EqualFunc(g.steps, steps, step.equal) })
	if i < 0 {
		h := r.hash(steps)
		if !r.seen[h] {
			if len(r.seen) >= mostSeen {
				clear(r.seen)
			}
			r.seen[h] = true
			return r.runPlain(steps, staged)
		}
		g, err := r.capture(steps, len(staged))
		if err != nil && len(r.graphs) > 0 { // perhaps they have the memory that this one wants
			if err := r.Drop(); err != nil {
				return err
			}
			g, err = r.capture(steps, len(staged))
		}
		switch {
		case err != nil:
			return r.giveUp(steps, staged, err)
		case g == nil:
			return r.runPlain(steps, staged)
		}
		r.graphs = append(r.graphs, g)
		i = len(r.graphs) - 1
	}
	g := r.graphs[i]
	r.graphs = append(slices.Delete(r.graphs, i, i+1), g)
	if len(staged) > 0 {
		if err := r.on.Write(g.staged, staged); err != nil {
			return err
		}
	}
	r.total.Replays++
	r.total.Replayed += len(steps)
	return g.graph.Replay()
}

// runPlain gives steps to the device one by one.
func (r *Replayer) runPlain(steps []step, staged []byte) error {
	return r.run(steps, func(s step) error { return r.on.Write(s.to, staged[s.from:][:s.bytes]) })
}

// giveUp runs steps, whose capture has failed, one by one. If that works, graphs were what
// failed, and there are none from then on. Else the error is that of the steps.
func (r *Replayer) giveUp(steps []step, staged []byte, why error) error {
	if err := r.runPlain(steps, staged); err != nil {
		return err
	}
	if r.plain = why; r.tell != nil {
		r.tell(why)
	}
	return r.Drop()
}

// run launches steps, write being what copies do.
func (r *Replayer) run(steps []step, write func(s step) error) error {
	for _, s := range steps {
		do := func() error { return r.on.Launch(s.kernel, s.grid, s.block, s.args...) }
		if s.kernel == "" {
			do = func() error { return write(s) }
		}
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// capture makes a graph of steps, which write so many bytes. It returns nil if the device
// has no memory for one.
func (r *Replayer) capture(steps []step, bytes int) (*replay, error) {
	if len(r.graphs) >= mostGraphs {
		oldest := r.graphs[0]
		r.graphs = r.graphs[1:]
		if err := r.drop(oldest); err != nil {
			return nil, err
		}
	}
	g := &replay{steps: steps}
	if bytes > 0 {
		at, err := r.Alloc(bytes)
		if err != nil {
			return nil, nil
		}
		g.staged = at
	}
	var err error
	g.graph, err = r.on.Capture(func() error {
		return r.run(steps, func(s step) error { return r.on.Copy(s.to, g.staged+Address(s.from), s.bytes) })
	})
	if err != nil && g.staged != 0 {
		err = errors.Join(err, r.on.Free(g.staged))
	}
	return g, err
}

func (r *Replayer) drop(g *replay) error {
	if err := g.graph.Drop(); err != nil || g.staged == 0 {
		return err
	}
	return r.on.Free(g.staged)
}

// Drop drops all graphs, as when the shapes that they are for will not come again.
func (r *Replayer) Drop() error {
	graphs := r.graphs
	r.graphs = nil
	clear(r.seen)
	for _, g := range graphs {
		if err := r.drop(g); err != nil {
			return err
		}
	}
	return nil
}

func (s step) equal(t step) bool {
	return s.kernel == t.kernel && s.grid == t.grid && s.block == t.block && s.to == t.to && s.from == t.from && s.bytes == t.bytes &&
		slices.EqualFunc(s.args, t.args, func(a, b any) bool { return wordOf(a) == wordOf(b) })
}

// A word is an argument of a launch, bit for bit.
type word struct {
	kind byte
	bits uint64
}

func wordOf(arg any) word {
	switch v := arg.(type) {
	case int32:
		return word{1, uint64(uint32(v))}
	case uint32:
		return word{2, uint64(v)}
	case float32:
		return word{3, uint64(math.Float32bits(v))}
	case int64:
		return word{4, uint64(v)}
	case uint64:
		return word{5, v}
	case float64:
		return word{6, math.Float64bits(v)}
	}
	return word{} // which no kernel takes
}

func (r *Replayer) hash(steps []step) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	var bytes [9]byte
	add := func(kind byte, bits uint64) {
		bytes[0] = kind
		binary.LittleEndian.PutUint64(bytes[1:], bits)
		h.Write(bytes[:])
	}
	for _, s := range steps {
		h.WriteString(s.kernel)
		for _, n := range slices.Concat(s.grid[:], s.block[:], []int{s.from, s.bytes}) {
			add(0, uint64(n))
		}
		add(0, s.to)
		for _, a := range s.args {
			w := wordOf(a)
			add(w.kind, w.bits)
		}
	}
	return h.Sum64()
}
