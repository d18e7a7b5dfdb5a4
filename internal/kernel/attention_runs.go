package kernel

import "math"

// negInf is the score of a key that a query does not see.
var negInf = float32(math.Inf(-1))

// keyRuns lists the keys of a block that are not masked as runs of
// neighbours, counted from the block's first key.
type keyRuns struct {
	all     []keyRun
	clipped []keyRun
}

// keyRun is the keys from to to−1.
type keyRun struct{ from, to int }

// set finds the unmasked keys among [from, to) and returns the part of that
// interval from the first to behind the last, which the runs count from; it
// is empty if all are masked. A nil mask masks none.
func (r *keyRuns) set(mask []bool, from, to int) (begin, end int) {
	r.all = r.all[:0]
	if mask == nil {
		r.all = append(r.all, keyRun{0, to - from})
		return from, to
	}
	for from < to && mask[from] {
		from++
	}
	for to > from && mask[to-1] {
		to--
	}
	for j := from; j < to; j++ {
		run := j
		for j < to && !mask[j] {
			j++
		}
		if run < j {
			r.all = append(r.all, keyRun{run - from, j - from})
		}
	}
	return from, to
}

// upTo returns the runs of the first n keys. The result is valid until the
// next call.
func (r *keyRuns) upTo(n int) []keyRun {
	if len(r.all) > 0 && r.all[len(r.all)-1].to <= n {
		return r.all
	}
	r.clipped = r.clipped[:0]
	for _, run := range r.all {
		if run.from >= n {
			break
		}
		r.clipped = append(r.clipped, keyRun{run.from, min(run.to, n)})
	}
	return r.clipped
}

// clearGaps zeroes what the runs leave out of row.
func clearGaps(row []float32, runs []keyRun) {
	done := 0
	for _, run := range runs {
		clear(row[done:run.from])
		done = run.to
	}
	clear(row[done:])
}
