package kernel

import "github.com/mega-go/mega/internal/parallel"

// Sizes of split reductions. They do not depend on the number of workers,
// since the results depend on them.
const (
	splitRows    = 144 // rows of C that a task computes at most
	splitColumns = 256 // columns of C that a task computes at most
	splitDepth   = 512 // shortest part of a reduction
	splitTasks   = 32  // tasks to aim at
	splitBelow   = 8   // tasks without splitting that are enough
)

// countSplits returns the number of parts that the reduction is cut into: more
// than one if it is long and C so small that it does not make tasks enough, as
// the gradient of a weight is. Rows that are multiplied by a weight are never cut, for
// whether it would pay depends on how many there are.
func (p *product) countSplits() int {
	if p.serial || !p.a.Transposed {
		return 1
	}
	columns := splitColumns
	if p.m <= rowsFew/2 {
		columns = 32 // B is what takes time, and is read once however narrow the tasks
	}
	if p.k < 2*splitDepth || ceilDiv(p.m, rowsFew)*ceilDiv(p.n, columns) >= splitBelow {
		return 1
	}
	return min(ceilDiv(splitTasks, p.tilesOfPart()), p.k/splitDepth)
}

// tilesOfPart returns the number of tasks for each part of a split reduction.
func (p *product) tilesOfPart() int {
	return ceilDiv(p.m, splitRows) * ceilDiv(p.n, splitColumns)
}

// runSplit computes the parts of the reduction side by side, then adds them.
func (p *product) runSplit() {
	memory := parallel.Borrow(p.splits * p.m * p.n)
	defer memory.Return()
	p.partial = memory.Data
	p.spread(p.splits*p.tilesOfPart(), (*product).runPart)
	p.spread(ceilDiv(p.m, sumRows), (*product).sumParts)
}

// runPart computes one rectangle of one part, which other workers' tasks do
// not touch.
func (p *product) runPart(i int) {
	rows, columns := ceilDiv(p.m, splitRows), ceilDiv(p.n, splitColumns)
	part, tile := i/(rows*columns), i%(rows*columns)
	row, column := tile/columns, tile%columns
	c := p.partial[part*p.m*p.n:][:p.m*p.n]
	width := roundUp(ceilDiv(p.n, columns), p.nr)
	p.compute(rectangle{
		p0: row * p.panels / rows, p1: (row + 1) * p.panels / rows,
		j0: min(column*width, p.n), j1: min((column+1)*width, p.n),
		k0: p.startOfPart(part), k1: p.startOfPart(part + 1),
	}, &output{c: c, ldc: p.n})
}

// startOfPart returns the first term of a part of the reduction. What terms share stays together.
func (p *product) startOfPart(part int) int {
	k := part * p.k / p.splits
	return k - k%p.grouping().rows
}

const sumRows = 8 // rows a task of sumParts

// sumParts adds up sumRows rows of all parts, in order, and finishes them.
func (p *product) sumParts(i int) {
	last := min((i+1)*sumRows, p.m)
	for row := i * sumRows; row < last; row++ {
		c := p.out.sums()[row*p.out.ldc:][:p.n]
		partial := p.partial[row*p.n:]
		switch {
		case p.out.e.Accumulate:
			Add(c, c, partial[:p.n])
		case p.out.e.Base != nil:
			Add(c, p.out.e.Base[row*p.out.e.BaseStride:][:p.n], partial[:p.n])
		default:
			copy(c, partial)
		}
		for s := 1; s < p.splits; s++ {
			Add(c, c, partial[s*p.m*p.n:][:p.n])
		}
		if p.out.e.Bias != nil {
			Add(c, c, p.out.e.Bias[:p.n])
		}
	}
	p.out.finish(i*sumRows, last-i*sumRows, 0, p.n)
}
