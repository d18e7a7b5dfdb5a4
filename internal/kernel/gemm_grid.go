package kernel

// Sizes for 32 KB of L1 and 512 KB of L2 cache a core, as Zen 3 has.
const (
	depthMax       = 320      // rows of a block of B: a panel of A stays in L1
	blockMax       = 48 << 10 // numbers in a block of B: it stays in L2
	rowsMax        = 240      // rows of C a task computes with each block of B, if there are several
	rowsFew        = 72       // rows of C a task computes with the only block of B
	rowsTransposed = 144      // rows of C a task computes at most if it packs a transposed A
	columnsPacked  = 256      // columns of C that are worth packing a transposed A, where L2 is slow
	sharedMax      = 4 << 20  // numbers of B that are packed ahead

	// Rows of A a multiple of this apart compete for the same few lines of L1,
	// which has room for cacheWays of them.
	aliasing, cacheWays = 512, 8
)

const (
	taskWork       = 1 << 20 // operations that are worth a task, some 10 µs
	tasksPerWorker = 8       // to aim at, as workers may be held up
	taskColumns    = 128     // columns of C in a task, unless there are too few tasks
	fewColumns     = 64      // the same where B is packed and a task reads little of A
	readWork       = 16      // operations in the time that a number of B takes to come from memory
)

// work estimates how many multiplications and additions would take as long.
func (p *product) work() float64 {
	return (2*float64(p.m) + readWork) * float64(p.n) * float64(p.k)
}

// wantedTasks returns how many tasks to cut the product into if it can be.
func (p *product) wantedTasks() int {
	if p.serial {
		return 1
	}
	return max(1, min(tasksPerWorker*p.workers.Size(), int(p.work()/taskWork)))
}

// rowsOfTask returns how many rows of C a task computes with advantage.
func (p *product) rowsOfTask() int {
	switch {
	case p.k <= depthMax && roundUp(p.n, p.nr)*p.k <= blockMax:
		return rowsFew
	case p.packsA():
		return rowsTransposed
	}
	return rowsMax
}

// runGrid cuts C into rectangles and computes each in a task.
func (p *product) runGrid() {
	rows := p.rowsOfTask()
	if p.serial && p.panels*p.mr <= rows {
		p.compute(rectangle{p1: p.panels, j1: p.n, k1: p.k}, &p.out)
		return
	}
	g := grid{rows: ceilDiv(p.panels, rows/p.mr), columns: 1}
	if !p.serial {
		g.cut(p)
	}
	p.grid = g
	p.spread(g.rows*g.columns, (*product).runGridTask)
}

// A grid is the number of tasks that C is cut into each way.
type grid struct{ rows, columns int }

// cut makes a grid finer until it has tasks enough. Narrow tasks waste what
// they read of A, low ones what they read of B: really small ones only serve to
// give every worker some.
func (g *grid) cut(p *product) {
	wanted, columns := p.wantedTasks(), taskColumns
	if p.packed != nil && p.m <= rowsFew {
		columns = fewColumns
	}
	g.refine(p, wanted, rowsFew, columns)
	g.refine(p, min(wanted, 2*p.workers.Size()), p.mr, p.nr)
	// A worker with a task less than the others waits for as long as one takes.
	if size := p.workers.Size(); g.rows >= size {
		g.rows = min(roundUp(g.rows, size), p.panels)
	} else if g.rows == 1 {
		g.columns = min(roundUp(g.columns, size), ceilDiv(p.n, p.nr))
	}
}

// refine makes the grid finer until it has that many tasks or none is larger
// than rows × columns.
func (g *grid) refine(p *product, tasks, rows, columns int) {
	if g.rows*g.columns < tasks {
		g.columns = max(g.columns, min(ceilDiv(tasks, g.rows), ceilDiv(p.n, columns)))
	}
	if g.rows*g.columns < tasks {
		g.rows = max(g.rows, min(ceilDiv(tasks, g.columns), ceilDiv(p.panels, rows/p.mr)))
	}
}

// runGridTask computes rectangle i of the grid; neighbours share columns of B.
func (p *product) runGridTask(i int) {
	row, column := i%p.grid.rows, i/p.grid.rows
	wide := ceilDiv(p.n, p.nr)
	p.compute(rectangle{
		p0: row * p.panels / p.grid.rows, p1: (row + 1) * p.panels / p.grid.rows,
		j0: column * wide / p.grid.columns * p.nr, j1: min((column+1)*wide/p.grid.columns*p.nr, p.n),
		k0: 0, k1: p.k,
	}, &p.out)
}
