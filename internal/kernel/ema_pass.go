package kernel

import "github.com/mega-go/mega/internal/parallel"

// An emaMask says which steps of a scan are padding: none if data is nil, else
// step i if data[first+i*stride].
type emaMask struct {
	data          []bool
	first, stride int
}

// at reports whether step i is padding.
func (m emaMask) at(i int) bool { return m.data != nil && m.data[m.first+i*m.stride] }

// run returns how many of the n > 0 steps from i on are alike.
func (m emaMask) run(i, n int) int {
	if m.data == nil {
		return n
	}
	k := 1
	for is := m.at(i); k < n && m.at(i+k) == is; k++ {
	}
	return k
}

// from returns the steps from i on.
func (m emaMask) from(i int) emaMask {
	m.first += i * m.stride
	return m
}

// reversed returns the first n steps from the last to the first.
func (m emaMask) reversed(n int) emaMask {
	return emaMask{data: m.data, first: m.first + (n-1)*m.stride, stride: -m.stride}
}

// emaSpan is the most groups that a task takes through a sequence side by side:
// where x comes from main memory, wide rows come faster than narrow ones.
const emaSpan = 8

// emaMemory is what a task needs beside its operands.
type emaMemory struct {
	borrowed *parallel.Scratch
	groups   int
	averages emaAverages
	packed   []float32 // [emaSteps][32]
	staged   []float32 // [emaStages][emaSteps][16], if a group does not fill its registers
}

// emaAverages are the averages of passes, of up to one a slot for each of some
// groups.
type emaAverages struct {
	data   []float32 // [slots][groups][2][N][16]
	groups int
	first  int // the group that the task's first one is among them
	slots  int
}

// The passes of a group. Where a sequence is taken in one go, two of a kind
// have one slot.
const (
	gradientRight = iota
	gradientLeft
	scanRight
	scanLeft
	emaPasses
)

// of returns averages [N][16] and their derivatives for the k-th group of the
// task.
func (a *emaAverages) of(pass, k, states int) (g, w []float32) {
	n := states * emaGroup
	i := 2 * n * (pass*a.slots/emaPasses*a.groups + a.first + k)
	return a.data[i:][:n], a.data[i+n:][:n]
}

// The rows that are staged at the same time.
const (
	stageX = iota
	stageLag
	stageFrom // or ds
	stageY    // or x with its padding
	emaStages
)

const emaStage = emaSteps * emaGroup // numbers in staged rows

// borrowEMA borrows memory for some groups of c's averages. What is staged is
// zero, for the channels that the last group lacks.
func borrowEMA(c *EMACoefficients, first, groups int) emaMemory {
	n := 2 * 2 * groups * c.shape.States * emaGroup
	s := parallel.Borrow(n + (2+emaStages)*emaStage)
	m := emaMemory{
		borrowed: s, groups: groups, averages: emaAverages{data: s.Data[:n], groups: groups, slots: 2},
		packed: s.Data[n:][:2*emaStage],
	}
	if c.lanes(first+groups-1)%emaLanes() != 0 {
		m.staged = s.Data[n+2*emaStage:]
		clear(m.staged)
	}
	return m
}

// An emaPass is one scan along one sequence: the averages of one group of
// channels in one direction.
type emaPass struct {
	emaMemory
	c      *EMACoefficients
	at     int       // the group's index in c
	lanes  int       // its channels
	width  int       // the same, rounded up to whole registers
	g, w   []float32 // [N][16]
	x      emaRows   // what the averages take in
	hidden emaMask   // the steps at which they take in zeros instead
	whole  bool      // whether to leave truncation out
	share  int       // which one of the task's groups it is
	after  int       // numbers from a row to the share of those to ask for ahead
	end    int       // of the scan's steps
}

// set makes p, which is zero or was the same pass of another group, one of the
// passes of the k-th group of a task, which is the one at index at in c. It sets
// field by field, as stage does: a step of decoding is over so soon that copies of
// structures show.
func (p *emaPass) set(m *emaMemory, pass, k int, c *EMACoefficients, at int) {
	p.emaMemory, p.c, p.at, p.share = *m, c, at, k
	p.lanes = c.lanes(at)
	p.width = roundUp(p.lanes, emaLanes())
	p.g, p.w = m.averages.of(pass, k, c.shape.States)
}

// stage sets to to where the kernels can read or write rows r from row i on:
// the rows themselves or, unless the channels fill their registers, memory with
// room for 16.
func (p *emaPass) stage(to *emaRows, which int, r *emaRows, i int) {
	// Field by field: a copy of a structure just written waits until all that
	// was written before it, rows on their way to memory too, has left the core.
	if p.width == p.lanes {
		to.data, to.first, to.stride = r.data, r.first+i*r.stride, r.stride
		return
	}
	to.data, to.first, to.stride = p.staged[which*emaStage:][:emaStage], 0, emaGroup
}

// read stages n rows of r from row i on, with their contents.
func (p *emaPass) read(to *emaRows, which int, r *emaRows, i, n int) {
	p.stage(to, which, r, i)
	if p.width != p.lanes {
		emaCopy(*to, r.from(i), n, p.lanes)
	}
}

// start sets what all blocks have in common.
func (p *emaPass) start(b *emaBlock) {
	c := p.c
	b.lanes, b.scratch = p.width, p.packed
	b.decay, b.drift, b.lagDecay = c.group(c.decay, p.at), c.group(c.drift, p.at), c.group(c.lagDecay, p.at)
	p.after = b.ahead.share(p.share, p.groups, p.x.stride)
}

// block describes the steps from i on that are alike, limit of them at most.
func (p *emaPass) block(b *emaBlock, i, limit int) {
	states, plain := p.c.shape.States, p.c.plain[p.at]
	b.plain, b.lagged = states, 0
	b.steps = p.hidden.run(i, limit)
	lag := i - p.c.shape.Truncation
	switch {
	case p.whole || plain == states:
	case lag < 0:
		b.steps = min(b.steps, -lag)
	default:
		b.plain, b.lagged = plain, states-plain
		b.steps = p.hidden.run(lag, b.steps)
		p.input(&b.lag, stageLag, lag, b.steps)
	}
	p.input(&b.x, stageX, i, b.steps)
	b.ahead.x = p.ahead(&p.x, i)
}

// ahead returns the address of what to ask for of r at step i: in the last block
// what is there already.
func (p *emaPass) ahead(r *emaRows, i int) uintptr {
	if i+emaSteps >= p.end {
		i -= emaSteps
	}
	return r.address(i, p.after)
}

// input stages n rows of what the averages take in, all of them padding or none.
func (p *emaPass) input(to *emaRows, which, i, n int) {
	if p.hidden.at(i) {
		*to = emaNothing()
		return
	}
	p.read(to, which, &p.x, i, n)
}

// An emaScanPass computes
//
//	y_t = scale·from_t + Σ_n c_n g_n(t)
//
// without the sum where mute. y may be from.
type emaScanPass struct {
	emaPass
	y, from emaRows
	mute    emaMask
	a       emaScan
}

// begin readies the pass to go on from the averages g.
func (p *emaScanPass) begin(g, scale []float32) {
	p.start(&p.a.emaBlock)
	p.a.scale, p.a.state = scale, g
}

// run takes the steps i to end.
func (p *emaScanPass) run(i, end int) {
	for a := &p.a; i < end; i += a.steps {
		p.block(&a.emaBlock, i, p.mute.run(i, end-i))
		a.output = p.c.group(p.c.output, p.at)
		if p.mute.at(i) {
			a.output = p.c.zeros
		}
		p.read(&a.from, stageFrom, &p.from, i, a.steps)
		p.stage(&a.y, stageY, &p.y, i)
		a.ahead.y = p.ahead(&p.y, i)
		a.run()
		if p.width != p.lanes {
			emaCopy(p.y.from(i), a.y, a.steps, p.lanes)
		}
	}
}

// scanAll takes passes side by side through the steps from to end.
func scanAll(passes []emaScanPass, from, end int) { sweepAll(from, passes, end, nil, 0) }

// An emaGradientPass adds Σ_t ds_t g_n(t) to dc and Σ_t ds_t ∂g_n(t)/∂q_n to dq,
// both [N][16], and, unless omega is nil, Σ_t ds_t x_t, padding included, to
// omega [16].
type emaGradientPass struct {
	emaPass
	ds    emaRows
	omega []float64
	a     emaGradient
}

// begin readies the pass to go on from its averages.
func (p *emaGradientPass) begin(dc, dq []float64) {
	p.start(&p.a.emaBlock)
	p.a.lagSlope, p.a.g, p.a.w, p.a.dc, p.a.dq = p.c.group(p.c.lagSlope, p.at), p.g, p.w, dc, dq
}

// run takes the steps i to end.
func (p *emaGradientPass) run(i, end int) {
	for a := &p.a; i < end; i += a.steps {
		p.block(&a.emaBlock, i, end-i)
		p.read(&a.ds, stageFrom, &p.ds, i, a.steps)
		a.ahead.y = p.ahead(&p.ds, i)
		a.run()
		if p.omega != nil {
			d := emaDot{steps: a.steps, lanes: a.lanes, ds: a.ds, sum: p.omega}
			p.read(&d.x, stageY, &p.x, i, a.steps)
			d.run()
		}
	}
}

// sweepAll takes scans through the steps from to scanned, and gradients through
// those to summed, side by side.
func sweepAll(from int, scans []emaScanPass, scanned int, gradients []emaGradientPass, summed int) {
	for k := range scans {
		scans[k].end = scanned
	}
	for k := range gradients {
		gradients[k].end = summed
	}
	for i := from; i < max(scanned, summed); i += emaSteps {
		for k := range scans {
			scans[k].run(i, min(i+emaSteps, scanned))
		}
		for k := range gradients {
			gradients[k].run(i, min(i+emaSteps, summed))
		}
	}
}
