package kernel

import "github.com/mega-go/mega/internal/parallel"

// EMAForward computes the average and residual s of x, both [batch, length, D],
// by c: what the reference passes to silu. mask [batch, length] is true at
// padding, which the averages see as zeros and the residual as it is; nil means
// none. s and x must not overlap.
func EMAForward(w *parallel.Workers, s, x []float32, mask []bool, batch, length int, c *EMACoefficients) {
	c.check(batch, length, mask, len(s), len(x))
	q := emaSequences{workers: w, c: c, length: length, mask: mask}
	if q.divides(batch) {
		q.halves(func(m emaMemory, first, groups int, leg emaLeg) { q.scan(m, s, x, 0, first, groups, leg) })
		return
	}
	q.each(batch, func(m emaMemory, b, first, groups int) {
		q.scan(m, s, x, b, first, groups, emaLeg{to: length, fresh: true})
		if c.shape.Bidirectional {
			q.scan(m, s, x, b, first, groups, emaLeg{fromRight: true, to: length - q.shift()})
		}
	})
}

// An emaLeg is a stretch of the way along a sequence.
type emaLeg struct {
	fromRight bool
	from, to  int  // steps
	fresh     bool // whether it is the first one to come by its rows
}

// scan takes some groups of sequence b along a leg of the forward pass.
func (q *emaSequences) scan(m emaMemory, s, x []float32, b, first, groups int, leg emaLeg) {
	pass := scanLeft
	if leg.fromRight {
		pass = scanRight
	}
	var all [emaSpan]emaScanPass
	passes := all[:groups]
	for k := range passes {
		p := &passes[k]
		p.set(&m, pass, k, q.c, first+k)
		p.x, p.hidden, p.y = q.rows(x, b, first+k), q.padding(b), q.rows(s, b, first+k)
		if leg.fromRight {
			q.turn(&p.emaPass)
			p.y = p.y.reversed(q.length - q.shift())
		}
		p.from = p.x
		q.startLeg(p, leg, first+k)
	}
	scanAll(passes, leg.from, leg.to)
}

// startLeg readies a scan over group for a leg: the first one to come by a row
// writes the residual too.
func (q *emaSequences) startLeg(p *emaScanPass, leg emaLeg, group int) {
	if leg.from == 0 {
		clear(p.g)
	}
	if leg.fresh {
		p.begin(p.g, q.c.scale(group))
		return
	}
	p.from = p.y
	p.begin(p.g, emaOnes[:])
}

// EMAStep continues streams: it computes s for the next rows of x, both
// [batch, length, D], and updates state [batch, c.StateSize()]. A state of zeros is a
// stream's beginning. Length is 1 in decoding and anything when a prompt or a chunk is
// read; the cuts make no difference beyond rounding. There is no
// truncation, as in the reference (exponential_moving_average.py:109-156).
// mask is as in EMAForward.
func EMAStep(w *parallel.Workers, s, x []float32, mask []bool, state []float32, batch, length int, c *EMACoefficients) {
	if c.shape.Bidirectional {
		panic("kernel: averages that run from the right have no stream")
	}
	c.check(batch, length, mask, len(s), len(x))
	checkLengths(batch*c.StateSize(), len(state))
	q := emaStreams{emaSequences{workers: w, c: c, length: length, mask: mask}, s, x, state}
	switch work := batch * length * len(c.decay); {
	case work > emaAlone:
		q.spread(batch)
	case work > emaShort:
		q.spreadEvenly(batch * c.groups)
	default:
		q.oneByOne(0, batch*c.groups)
	}
}

// emaStreams is a call of EMAStep.
type emaStreams struct {
	emaSequences
	s, x, state []float32
}

// spread takes all streams along over the workers.
func (q emaStreams) spread(batch int) { q.each(batch, q.run) }

// spreadEvenly takes groups, counted through all streams, along over the workers.
func (q emaStreams) spreadEvenly(groups int) {
	tasks := min(groups, 2*q.workers.Size())
	q.workers.Run(tasks, func(_, i int) { q.oneByOne(i*groups/tasks, (i+1)*groups/tasks) })
}

// oneByOne takes the groups from to to, counted through all streams, along: one pass
// after the other, in the same memory, and without functions that capture anything,
// for a step of decoding one text is soon over and not to allocate.
func (q *emaStreams) oneByOne(from, to int) {
	c := q.c
	m := borrowEMA(c, c.groups-1, 1)
	var pass [1]emaScanPass
	for i := from; i < to; i++ {
		q.begin(&pass[0], &m, i/c.groups, 0, i%c.groups)
		scanAll(pass[:], 0, q.length)
	}
	m.borrowed.Return()
}

// run takes some adjacent groups of stream b along.
func (q *emaStreams) run(m emaMemory, b, first, groups int) {
	var all [emaSpan]emaScanPass
	passes := all[:groups]
	for k := range passes {
		q.begin(&passes[k], &m, b, k, first+k)
	}
	scanAll(passes, 0, q.length)
}

// begin readies the k-th pass of a task to go on from the state of a group of
// stream b.
func (q *emaStreams) begin(p *emaScanPass, m *emaMemory, b, k, group int) {
	p.set(m, scanLeft, k, q.c, group)
	p.x, p.hidden, p.whole = q.rows(q.x, b, group), q.padding(b), true
	p.from, p.y = p.x, q.rows(q.s, b, group)
	p.begin(q.c.group(q.state, b*q.c.groups+group), q.c.scale(group))
}

// check panics unless the operands of a pass have the lengths that they should.
func (c *EMACoefficients) check(batch, length int, mask []bool, operands ...int) {
	checkLengths(batch*length*c.shape.Channels, operands...)
	if mask != nil {
		checkLengths(batch*length, len(mask))
	}
}

// scale returns omega for a group.
func (c *EMACoefficients) scale(group int) []float32 { return c.omega[group*emaGroup:][:emaGroup] }

// emaSequences are the sequences of a batch.
type emaSequences struct {
	workers *parallel.Workers
	c       *EMACoefficients
	length  int
	mask    []bool
}

// emaAlone is the work, in steps of one state, that is not worth waking workers for.
const emaAlone = 1 << 18

// emaShort is the work, in the same steps, that is not worth sharing with workers that
// are awake, as they are while texts are read: some ten microseconds.
const emaShort = 1 << 13

// emaBrief is the work, in the same steps, that is over so soon that a worker
// which begins late shows: sequences that are cut anyway are cut into more tasks.
const emaBrief = 1 << 24

// each calls f for parts × groups tasks, spread over the workers: some adjacent
// groups of a part. How many does not change the results.
func (q *emaSequences) each(parts int, f func(m emaMemory, part, first, groups int)) {
	groups := q.c.groups
	span := emaTaskSpan(parts, groups, q.workers.Size())
	if span < groups && parts*q.length*len(q.c.decay) <= emaBrief {
		span = ceilDiv(span, 2)
	}
	spans := ceilDiv(groups, span)
	task := func(_, i int) {
		first := i % spans * span
		n := min(span, groups-first)
		m := borrowEMA(q.c, first, n)
		defer m.borrowed.Return()
		f(m, i/spans, first, n)
	}
	if parts*q.length*len(q.c.decay) > emaAlone {
		q.workers.Run(parts*spans, task)
		return
	}
	for i := range parts * spans {
		task(0, i)
	}
}

// emaLong is how long a sequence is divided.
const emaLong = 8 * emaSteps

// divides reports whether each sequence of a batch is split into halves, as a single
// one is, because workers that write side by side to the same rows take cache lines
// from each other. It must not depend on the number of workers.
func (q *emaSequences) divides(batch int) bool {
	s := q.c.shape
	return batch == 1 && s.Bidirectional && !s.Shifted && q.length >= emaLong
}

// halves calls f for some groups of one sequence and a leg at a time: first from
// either end to the middle, then, with the averages that have come there from
// the other side, from the middle to both ends.
func (q *emaSequences) halves(f func(m emaMemory, first, groups int, leg emaLeg)) {
	middle := roundUp(q.length/2, emaSteps)
	c := q.c
	s := parallel.Borrow(emaPasses * c.groups * 2 * c.shape.States * emaGroup)
	defer s.Return()
	legs := [...]emaLeg{
		{to: middle, fresh: true}, {fromRight: true, to: q.length - middle, fresh: true},
		{fromRight: true, from: q.length - middle, to: q.length}, {from: middle, to: q.length},
	}
	for phase := range 2 {
		q.each(2, func(m emaMemory, half, first, groups int) {
			m.averages = emaAverages{data: s.Data, groups: c.groups, first: first, slots: emaPasses}
			f(m, first, groups, legs[2*phase+half])
		})
	}
}

// emaTaskSpan returns how many groups a task of parts × groups takes: the most
// with which the busiest of the workers has at most an eighth more to do than
// with one.
func emaTaskSpan(parts, groups, workers int) int {
	least := ceilDiv(parts*groups, workers)
	for span := min(emaSpan, groups); span > 1; span-- {
		if tasks := parts * ceilDiv(groups, span); ceilDiv(tasks, workers)*span <= least+least/8 {
			return span
		}
	}
	return 1
}

// rows returns a group's channels of sequence b.
func (q *emaSequences) rows(x []float32, b, group int) emaRows {
	d := q.c.shape.Channels
	return emaRows{data: x, first: b*q.length*d + group*emaGroup, stride: d}
}

// padding returns the mask of sequence b.
func (q *emaSequences) padding(b int) emaMask {
	return emaMask{data: q.mask, first: b * q.length, stride: 1}
}

// turn makes of a pass over x the one of the averages that run from the right.
// It has shift fewer steps, which end at the first row of x; step i adds to row
// length−1−shift−i of s.
func (q *emaSequences) turn(p *emaPass) {
	p.at += q.c.groups
	p.x, p.hidden = p.x.reversed(q.length), p.hidden.reversed(q.length)
}

// shift is the least lag of the averages that run from the right.
func (q *emaSequences) shift() int {
	if q.c.shape.Shifted {
		return 1
	}
	return 0
}
