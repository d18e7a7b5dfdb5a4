package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/kernel"
)

func TestPlaceAndTakeRows(t *testing.T) {
	b := newBench(t)
	const rows, cols, ldd, lds = 9, 37, 40, 38
	src, dst := b.normal(rows*lds), b.normal(2*rows*ldd)
	index := make([]int32, rows)
	for i, r := range b.r.Perm(2 * rows)[:rows] {
		index[i] = int32(r)
	}
	at, back := up(b, dst), up(b, src)
	b.must(PlaceRows(b, at, up(b, src), up(b, index), rows, cols, ldd, lds, 0.3))
	for i, r := range index {
		kernel.Scale(dst[int(r)*ldd:][:cols], src[i*lds:][:cols], 0.3)
	}
	b.compare("rows that were placed", at, dst, 0)
	b.must(TakeRows(b, back, at, up(b, index), rows, cols, lds, ldd, 2))
	for i, r := range index {
		kernel.Scale(src[i*lds:][:cols], dst[int(r)*ldd:][:cols], 2)
	}
	b.compare("rows that were taken", back, src, 0)
	column := b.normal(rows * 3)
	b.must(AddColumn(b, back, at, up(b, column), rows, cols, lds, ldd, 3))
	for r := range rows {
		kernel.AddScalar(src[r*lds:][:cols], dst[r*ldd:][:cols], column[3*r])
	}
	b.compare("rows and a column", back, src, 0)
}

// TestFeatureDropout compares to the last bit, infinities and NaN that are dropped
// included.
func TestFeatureDropout(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		groups, length, cols int
		whole                bool
	}{{1, 1, 1, false}, {3, 5, 70, false}, {70, 2, 33, true}, {130, 1, 3, false}, {2, 3, 64, true}} {
		rows, ldx, ldd := c.groups*c.length, c.cols+2, c.cols+5
		x, old := b.normal(rows*ldx), b.normal(rows*ldd)
		x[0], x[rows/2*ldx] = float32(math.Inf(1)), float32(math.NaN())
		dst, seed := up(b, old), b.r.Uint64()
		const p = 0.4
		b.must(FeatureDropout(b, dst, up(b, x), rows, c.cols, ldd, ldx, c.length, c.whole, up(b, []uint64{seed}), p))
		mask := make([]float32, c.cols)
		for r := range rows {
			group := uint64(r / c.length)
			kernel.Fill(mask, 1)
			if c.whole {
				kernel.Dropout(mask[:1], mask[:1], seed, group, p)
				kernel.Fill(mask, mask[0])
			} else {
				kernel.Dropout(mask, mask, seed, group*uint64(c.cols), p)
			}
			kernel.Mul(old[r*ldd:][:c.cols], x[r*ldx:][:c.cols], mask)
		}
		b.compare(fmt.Sprintf("%+v", c), dst, old, 0)
	}
}

// TestBatchNorm goes through a training step of batch norm, beside the CPU's.
func TestBatchNorm(t *testing.T) {
	b := newBench(t)
	for _, rows := range []int{1, 2, 130} {
		for _, weighted := range []bool{false, true} {
			testBatchNorm(b, rows, weighted)
		}
	}
}

func testBatchNorm(b *bench, rows int, weighted bool) {
	b.Helper()
	const cols, momentum = 35, 0.1
	x, dy := b.normal(rows*cols), b.normal(rows*cols)
	for i := range x {
		x[i] = x[i]*0.01 + 100 // far from 0
	}
	weight, ones := b.normal(cols), slices.Repeat([]float32{1}, cols)
	var aweight Address
	if weighted {
		aweight = up(b, weight)
	} else {
		weight = ones
	}
	numbers := func() (Address, []float32) {
		x := b.normal(cols)
		return up(b, x), x
	}
	name := func(what string) string { return fmt.Sprintf("%s of %d rows, weighted %v", what, rows, weighted) }
	ax, ady, parts := up(b, x), up(b, dy), b.Alloc(16*Parts(rows)*cols)

	mean, rest, variance := b.empty(cols), b.empty(cols), b.empty(cols)
	sums := up(b, make([]float64, 2*cols))
	b.must(ColumnMoments(b, sums, ax, parts, rows, cols, cols))
	b.must(ColumnStatistics(b, mean, rest, variance, sums, rows, cols))
	wsum, wsquares := make([]float64, cols), make([]float64, cols)
	wmean, wrest, wvariance := make([]float32, cols), make([]float32, cols), make([]float32, cols)
	kernel.ColumnMoments(wsum, wsquares, x, rows, cols, cols)
	kernel.ColumnStatistics(wmean, wrest, wvariance, wsum, wsquares, rows)
	b.compare(name("mean"), mean, wmean, 0)
	b.compare(name("rest of the mean"), rest, wrest, 1e-11)
	b.compare(name("variance"), variance, wvariance, 1e-10) // of numbers whose squares are 10^4

	running, wrunning := numbers()
	factor := float32(rows) / float32(max(1, rows-1))
	b.must(UpdateRunning(b, running, variance, factor, momentum, cols))
	for i := range wrunning {
		wrunning[i] += momentum * (factor*wvariance[i] - wrunning[i])
	}
	b.compare(name("running variance"), running, wrunning, 1e-7)

	// The gradient needs 1 / sqrt(variance + eps), which the test has at hand.
	_, rstd := numbers()
	arstd := up(b, rstd)
	again := up(b, make([]float64, 2*cols))
	b.must(BatchNormSums(b, again, ady, ax, mean, parts, rows, cols, cols, cols))
	var at [4]Address
	var want [4][]float32
	for i := range at {
		at[i], want[i] = numbers()
	}
	b.must(BatchNormCoefficients(b, at[0], at[1], at[2], at[3], aweight, arstd, rest, again, rows, cols))
	clear(wsum)
	clear(wsquares)
	kernel.BatchNormSums(wsum, wsquares, dy, x, wmean, rows, cols, cols, cols)
	kernel.BatchNormCoefficients(want[0], want[1], want[2], want[3], weight, rstd, wrest, wsum, wsquares, rows)
	for i, what := range []string{"factor", "mean of dy", "slope", "rest"} {
		b.compare(name(what), at[i], want[i], []float64{0, 0, 1e-7, 1e-8}[i])
	}
	dweight, wdweight := numbers()
	dbias, wdbias := numbers()
	b.must(BatchNormWeightGrad(b, dweight, dbias, arstd, again, cols))
	b.must(BatchNormWeightGrad(b, 0, 0, arstd, again, cols))
	for i := range wdweight {
		wdweight[i] += float32(float64(rstd[i]) * wsquares[i])
		wdbias[i] += float32(wsum[i])
	}
	b.compare(name("dweight"), dweight, wdweight, 1e-6)
	b.compare(name("dbias"), dbias, wdbias, 1e-6)
}

func TestArgmaxAndRanks(t *testing.T) {
	b := newBench(t)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, cols := range []int{1, 2, 31, 32, 33, 100} {
		const rows = 11
		ldx := cols + 1
		x := b.normal(rows * ldx)
		targets, wantAt, wantRanks := make([]int32, rows), make([]int32, rows), make([]int32, rows)
		for r := range rows {
			row := x[r*ldx:][:cols]
			targets[r] = int32(b.r.IntN(cols))
			switch r {
			case 1:
				row[0] = nan
			case 2:
				row[cols-1] = nan
			case 3: // equals
				row[cols/2], row[cols-1] = 9, 9
			case 4:
				row[cols-1] = inf
			case 5:
				kernel.Fill(row, -inf)
			case 6:
				row[targets[r]] = nan
			}
			for j, v := range row {
				if v > row[wantAt[r]] {
					wantAt[r] = int32(j)
				}
				if v > row[targets[r]] {
					wantRanks[r]++
				}
			}
		}
		ax, out := up(b, x), b.empty(rows)
		b.must(Argmax(b, out, ax, rows, cols, ldx))
		if got := down[int32](b, out, rows); !slices.Equal(got, wantAt) {
			t.Errorf("%d columns: the largest are at %v, want %v", cols, got, wantAt)
		}
		b.must(Ranks(b, out, ax, up(b, targets), rows, cols, ldx))
		if got := down[int32](b, out, rows); !slices.Equal(got, wantRanks) {
			t.Errorf("%d columns: ranks are %v, want %v", cols, got, wantRanks)
		}
	}
}

// TestSoftCrossEntropy compares with the formula in float64.
func TestSoftCrossEntropy(t *testing.T) {
	b := newBench(t)
	for _, cols := range []int{1, 2, 32, 33, 200} {
		const rows, dloss = 9, 0.7
		ldx, ldt := cols+1, cols+2
		x, targets, want := b.normal(rows*ldx), b.normal(rows*ldt), b.normal(rows*ldx)
		dx := up(b, want)
		losses := make([]float64, rows)
		for r := range rows {
			row, target := x[r*ldx:][:cols], targets[r*ldt:][:cols]
			for j := range target {
				target[j] *= target[j]
				row[j] *= 5
				if r == 3 {
					target[j] = 0
				}
			}
			if r == 4 {
				row[cols-1] = float32(math.Inf(-1))
				target[cols-1] = 0
			}
			if r == 4 && cols == 1 {
				row[0] = 3
			}
			largest, sum, total := math.Inf(-1), 0.0, 0.0
			for _, p := range target {
				total += float64(p)
			}
			for _, v := range row {
				largest = math.Max(largest, float64(v))
			}
			for _, v := range row {
				sum += math.Exp(float64(v) - largest)
			}
			for j, v := range row {
				losses[r] += float64(target[j]) * (largest + math.Log(sum) - float64(v)) // NaN for 0 times infinity
				want[r*ldx+j] = float32(dloss * (math.Exp(float64(v)-largest)/sum*total - float64(target[j])))
			}
		}
		terms, stats, ax, at := b.Alloc(24*rows), b.empty(2*rows), up(b, x), up(b, targets)
		b.must(SoftCrossEntropy(b, terms, stats, ax, at, rows, cols, ldx, ldt))
		got := make([]SoftTerm, rows)
		data := make([]byte, 24*rows)
		b.must(b.Read(data, terms))
		_, err := binary.Decode(data, binary.LittleEndian, got)
		b.must(err)
		for r, g := range got {
			loss := g.Targets*math.Log(g.Sum) - g.Product
			if !(math.Abs(loss-losses[r]) <= 3e-7*(g.Targets+math.Abs(losses[r]))) && !(math.IsNaN(loss) && math.IsNaN(losses[r])) {
				t.Errorf("%d classes, row %d: the loss is %v, want %v", cols, r, loss, losses[r])
			}
		}
		b.must(SoftCrossEntropyGrad(b, dx, up(b, []float32{dloss}), terms, stats, ax, at, rows, cols, ldx, ldx, ldt))
		b.compare(fmt.Sprint(cols, " classes: dx"), dx, want, 1e-5)
	}
}

// A surveyor notes the largest grid that kernels are launched on, and runs none.
type surveyor struct {
	largest [3]int
	blocks  int
}

func (s *surveyor) Launch(kernel string, grid, block [3]int, args ...any) error {
	for i := range 3 {
		s.largest[i] = max(s.largest[i], grid[i])
	}
	s.blocks += grid[0] * grid[1] * grid[2]
	return nil
}

// TestLargeGrids holds that what many launches are of fits the limits of grids.
func TestLargeGrids(t *testing.T) {
	tokens := make([]int32, 100000)
	for i := range tokens {
		tokens[i] = int32(i)
	}
	s := new(surveyor)
	if err := EmbedGrad(s, 0, 0, NewTokenIndex(tokens, len(tokens), -1), 0, 512, 1); err != nil || s.largest != [3]int{100000, 2, 1} {
		t.Errorf("the gradient of 100000 tokens has a grid of %v, %v", s.largest, err)
	}
	s = new(surveyor)
	if err := Product(s, Float32, Matrix{}, Matrix{}, Matrix{}, Epilogue{}, 200000, 65, 33, 1); err != nil || s.largest[2] > mostBlocks || s.blocks != 400000 {
		t.Errorf("200000 products have %d blocks in grids of %v, %v", s.blocks, s.largest, err)
	}
	s = new(surveyor)
	if err := Product(s, Float32, Matrix{}, Matrix{}, Matrix{}, Epilogue{}, 1, 1<<21, 32, 1); err != nil || s.largest != [3]int{1 << 17, 2, 1} {
		t.Errorf("a product of two million rows has a grid of %v, %v", s.largest, err)
	}
	batch := Matrix{At: 4096, Row: 3, Col: 1, Batch: 6}
	if got := batch.from(7); got != (Matrix{At: 4096 + 4*7*6, Row: 3, Col: 1, Batch: 6}) {
		t.Errorf("from 7 on: %+v", got)
	}
}
