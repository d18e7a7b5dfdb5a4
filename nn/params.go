package nn

import (
	"fmt"
	"math/rand/v2"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/tensor"
)

// A Parameter is a named, trainable tensor of a model. Its name is the
// reference's, dots and all.
type Parameter struct {
	Name string
	*autograd.Variable
}

// Pack returns the parameter packed, as autograd.Pack does, outside any set.
func (p *Parameter) Pack(in autograd.Precision) *Parameter {
	return &Parameter{Name: p.Name, Variable: autograd.Pack(p.Variable, in)}
}

// A Buffer is a named tensor that is part of a model's state but not trained:
// the running statistics of a batch norm.
type Buffer struct {
	Name string
	*tensor.Tensor
}

// A Counter is a named integer of a model's state.
type Counter struct {
	Name  string
	Value int64
}

// An Alias is a second name under which the reference stores a parameter that
// two layers share.
type Alias struct {
	Name string
	Of   *Parameter
}

// Params is everything a model learns and carries, in the order in which the
// reference lists it (optimiser states in its checkpoints go by that order).
type Params struct {
	rng      *rand.Rand
	list     []*Parameter
	buffers  []*Buffer
	counters []*Counter
	aliases  []Alias
	names    []string // of all of these
	taken    map[string]bool
	bare     bool          // tensors have no memory yet
	on       device.Memory // where the tensors are, nil for the host

	sections     []*Section
	final        func(*Section) // nil, or told of sections whose gradients are final
	synchronised bool           // a norm sums statistics over processes
}

// NewParams returns an empty set whose parameters start from random numbers
// fixed by seed.
func NewParams(seed uint64) *Params {
	return &Params{rng: rand.New(rand.NewPCG(seed, 0x6d656761)), taken: make(map[string]bool)}
}

// NewShapes returns an empty set whose tensors have names and shapes, and memory
// only after Allocate: a model whose weights come from elsewhere can be held
// against them before it costs anything, and nothing is drawn at random.
func NewShapes() *Params {
	p := NewParams(0)
	p.bare = true
	return p
}

// Allocate gives the tensors of NewShapes their memory, zeros.
func (p *Params) Allocate() {
	for _, q := range p.list {
		q.Value().Allocate()
	}
	for _, b := range p.buffers {
		b.Allocate()
	}
	p.bare = false
}

// tensor returns a tensor filled by init, or one without memory.
func (p *Params) tensor(init Initializer, shape []int) *tensor.Tensor {
	if p.bare {
		return tensor.Unallocated(shape...)
	}
	t := tensor.New(shape...)
	init(p.rng, t)
	return t
}

// Move moves the numbers of the parameters and buffers to a device, nil for the host.
// Gradients are forgotten: the next ones are where the numbers are. Where a device fails
// it panics with a device.Failure, and then all numbers are where they were, or all have moved
// and a device kept memory that they had: Device says which.
func (p *Params) Move(to device.Memory) {
	for _, q := range p.list {
		q.Forget()
	}
	all := p.Tensors()
	if len(all) == 0 {
		p.on = to
		return
	}
	defer func() { p.on = all[0].Device() }() // also where Move fails
	tensor.MoveAll(all, to)
}

// Device returns what computes where the numbers are, nil for the host: tapes that work
// on them compute there too (autograd's Tape.SetDevice).
func (p *Params) Device() device.Device {
	d, _ := p.on.(device.Device)
	return d
}

// NewTape returns a tape for inference (autograd's NewTape) that computes where the numbers
// are. Whoever makes it closes it: a device needs its memory back.
func (p *Params) NewTape() *autograd.Tape {
	t := autograd.NewTape()
	t.SetDevice(p.Device())
	return t
}

// Each calls f(0) to f(n-1), which compute with the numbers: several at once on the cores,
// or one after the other where a device has them, for that belongs to one goroutine.
func (p *Params) Each(n int, f func(i int)) {
	if p.Device() == nil {
		var shared *autograd.Workers
		shared.Run(n, func(_, i int) { f(i) })
		return
	}
	for i := range n {
		f(i)
	}
}

// Clone returns a set with the same names and copies of the tensors.
func (p *Params) Clone() *Params {
	c := &Params{names: p.names, taken: p.taken}
	copies := make(map[*Parameter]*Parameter)
	for _, q := range p.list {
		copies[q] = &Parameter{Name: q.Name, Variable: autograd.NewParameter(q.Value().Clone())}
		c.list = append(c.list, copies[q])
	}
	for _, b := range p.buffers {
		c.buffers = append(c.buffers, &Buffer{b.Name, b.Tensor.Clone()})
	}
	for _, n := range p.counters {
		c.counters = append(c.counters, &Counter{n.Name, n.Value})
	}
	for _, a := range p.aliases {
		c.aliases = append(c.aliases, Alias{a.Name, copies[a.Of]})
	}
	return c
}

// Copy sets every number of p to that of src, which has the same names and shapes.
func (p *Params) Copy(src *Params) {
	for i, t := range p.Tensors() {
		t.Copy(src.Tensors()[i])
	}
	for i, c := range p.counters {
		c.Value = src.counters[i].Value
	}
}

// Tensors returns the values of the parameters, then the buffers.
func (p *Params) Tensors() []*tensor.Tensor {
	var all []*tensor.Tensor
	for _, q := range p.list {
		all = append(all, q.Value())
	}
	for _, b := range p.buffers {
		all = append(all, b.Tensor)
	}
	return all
}

// All returns the parameters, in the reference's order.
func (p *Params) All() []*Parameter { return p.list }

// Buffers returns the buffers in order.
func (p *Params) Buffers() []*Buffer { return p.buffers }

// Counters returns the counters in order.
func (p *Params) Counters() []*Counter { return p.counters }

// Aliases returns the second names of shared parameters in order.
func (p *Params) Aliases() []Alias { return p.aliases }

// Names returns the names of everything, aliases included, in the order in which
// the reference's state_dict lists them.
func (p *Params) Names() []string { return p.names }

// Synchronised reports whether a forward pass sums statistics over processes, so that
// none can do without the others.
func (p *Params) Synchronised() bool { return p.synchronised }

// Count returns the number of trainable numbers.
func (p *Params) Count() int {
	n := 0
	for _, q := range p.list {
		n += tensor.Size(q.Shape())
	}
	return n
}

// ZeroGrad forgets the gradients of all parameters.
func (p *Params) ZeroGrad() {
	for _, q := range p.list {
		q.ZeroGrad()
	}
}

// Root returns the path at which a model's own names begin.
func (p *Params) Root() Path { return Path{params: p} }

// A Path is a place in the tree of names under which a layer registers its
// parameters.
type Path struct {
	params *Params
	prefix string
}

// Sub returns the path of a part of this one.
func (p Path) Sub(name string) Path { return Path{p.params, p.join(name)} }

// Index returns the path of element i of a list of parts.
func (p Path) Index(i int) Path { return p.Sub(fmt.Sprint(i)) }

func (p Path) join(name string) string {
	if p.prefix == "" {
		return name
	}
	return p.prefix + "." + name
}

// claim panics if a name is taken: two layers under one name is an error of
// the program.
func (p Path) claim(name string) string {
	name = p.join(name)
	if p.params.taken[name] {
		panic("nn: two tensors are named " + name)
	}
	p.params.taken[name] = true
	p.params.names = append(p.params.names, name)
	return name
}

// Parameter registers a parameter and fills it by init.
func (p Path) Parameter(name string, init Initializer, shape ...int) *Parameter {
	q := &Parameter{Name: p.claim(name), Variable: autograd.NewParameter(p.params.tensor(init, shape))}
	p.params.list = append(p.params.list, q)
	return q
}

// Buffer registers a buffer filled with value.
func (p Path) Buffer(name string, value float32, shape ...int) *Buffer {
	b := &Buffer{Name: p.claim(name), Tensor: p.params.tensor(Constant(value), shape)}
	p.params.buffers = append(p.params.buffers, b)
	return b
}

// Counter registers a counter that starts at 0.
func (p Path) Counter(name string) *Counter {
	c := &Counter{Name: p.claim(name)}
	p.params.counters = append(p.params.counters, c)
	return c
}

// Alias registers a second name for a parameter that is shared.
func (p Path) Alias(name string, of *Parameter) {
	p.params.aliases = append(p.params.aliases, Alias{p.claim(name), of})
}
