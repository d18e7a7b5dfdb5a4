package autograd

import (
	"encoding/binary"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// matrix returns x, or its transpose, as products take it.
func matrix(x *tensor.Tensor, transposed bool) kernels.Matrix {
	if transposed {
		return kernels.Matrix{At: x.Address(), Row: 1, Col: x.Stride()}
	}
	return kernels.Matrix{At: x.Address(), Row: x.Stride(), Col: 1}
}

// format returns what the factors of the tape's products are rounded to.
func (d *deviceTape) format() kernels.Format {
	switch {
	case d.tape.bf16:
		return kernels.BF16
	case d.TF32():
		return kernels.TF32
	}
	return kernels.Float32
}

// epilogue returns e as kernels take it.
func (d *deviceTape) epilogue(e epilogue) kernels.Epilogue {
	k := kernels.Epilogue{Activation: int(e.act), Pre: address(e.pre)}
	if e.base != nil {
		k.Base = matrix(e.base, false)
	}
	if e.bias != nil {
		k.Bias = d.in(e.bias)
	}
	return k
}

func (d *deviceTape) multiply(c, a, b *tensor.Tensor, how int, e epilogue) {
	rows, cols, k := c.Rows(), c.Cols(), a.Cols()
	if how == transposedA {
		k = a.Rows()
	}
	format, end := d.format(), d.epilogue(e)
	if e.bf16 {
		format = kernels.BF16
	}
	to, left, right := matrix(c, false), matrix(a, how == transposedA), matrix(b, how == transposedB)
	// Only gradients of weights are cut: elsewhere the number of rows must not change the
	// bits of each, so that texts can be read piece by piece.
	if parts := kernels.SplitParts(rows, cols, k); how == transposedA && parts > 0 {
		d.end("a product", kernels.SplitProduct(d, format, to, left, right, d.get(parts), end, rows, cols, k))
		return
	}
	d.end("a product", kernels.Product(d, format, to, left, right, end, 1, rows, cols, k))
}

func (d *deviceTape) multiplyPacked(c, x *tensor.Tensor, w *Variable, e epilogue) {
	e.bf16 = w.packed.precision == BFloat16
	d.multiply(c, x, w.value, transposedB, e)
}

func (d *deviceTape) columnSums(dst, x *tensor.Tensor) {
	rows, cols := x.Rows(), x.Cols()
	at, parts := d.out(dst), d.get(cols*kernels.Parts(rows))
	d.end("sums of columns", kernels.ColumnSums(d, at, x.Address(), parts, rows, cols, x.Stride()))
}

// statistics are the addresses of mean and rstd of each row.
func (n normOperands) statistics() (mean, rstd device.Address) {
	return n.stats.Address(), n.stats.Address() + device.Address(4*n.stats.Stride())
}

// weightOf returns the address of a norm's weight: of 1 if it has none.
func (d *deviceTape) weightOf(n normOperands) device.Address {
	if n.weight != nil {
		return d.in(n.weight)
	}
	return d.putFloats([]float32{1})
}

func (d *deviceTape) norm(n normOperands) {
	rows, cols, ldy, ldx := n.x.Rows(), n.x.Cols(), n.dst.Stride(), n.x.Stride()
	mean, rstd := n.statistics()
	drop := d.dropout(n.drop)
	var err error
	if n.kind == layerNorm {
		err = kernels.LayerNorm(d, n.dst.Address(), n.x.Address(), address(n.weight), address(n.bias), mean, rstd, rows, cols, ldy, ldx, n.eps, drop)
	} else {
		err = kernels.RMSNorm(d, n.dst.Address(), n.x.Address(), d.weightOf(n), n.kind == scaleNorm, rstd, rows, cols, ldy, ldx, n.eps, drop)
	}
	d.end("a norm", err)
}

func (d *deviceTape) normGrad(n normOperands, dy, dweight, dbias *tensor.Tensor, accumulate bool) {
	const op = "the gradient of a norm"
	rows, cols, lddx, lddy, ldx := n.x.Rows(), n.x.Cols(), n.dst.Stride(), dy.Stride(), n.x.Stride()
	mean, rstd := n.statistics()
	drop := d.dropout(n.drop)
	if n.kind == layerNorm {
		d.must(op, kernels.LayerNormGrad(d, n.dst.Address(), dy.Address(), n.x.Address(), address(n.weight), mean, rstd, rows, cols, lddx, lddy, ldx, accumulate, drop))
	} else {
		mean = 0
		d.must(op, kernels.RMSNormGrad(d, n.dst.Address(), dy.Address(), n.x.Address(), d.weightOf(n), n.kind == scaleNorm, rstd, rows, cols, lddx, lddy, ldx, accumulate, drop))
	}
	if dweight == nil {
		d.end(op, nil)
		return
	}
	parts := d.get(2 * cols * max(1, kernels.Parts(rows)))
	if n.kind == scaleNorm {
		d.end(op, kernels.NormScaleGrad(d, dweight.Address(), dy.Address(), n.x.Address(), rstd, parts, rows, cols, lddy, ldx, drop))
		return
	}
	d.end(op, kernels.NormWeightGrad(d, dweight.Address(), address(dbias), dy.Address(), n.x.Address(), mean, rstd, parts, rows, cols, lddy, ldx, drop))
}

func (d *deviceTape) batchNormStatistics(stats, mean, variance, weight, bias *tensor.Tensor, eps float32) {
	err := kernels.BatchNormStatistics(d, stats.Address(), mean.Address(), variance.Address(), address(weight), address(bias), stats.Cols(), eps)
	d.end("a batch norm's statistics", err)
}

// row returns the address of a row of x.
func row(x *tensor.Tensor, i int) device.Address {
	return x.Address() + device.Address(4*i*x.Stride())
}

func (d *deviceTape) columnAffine(dst, x, stats *tensor.Tensor, i int) {
	d.end("a batch norm", kernels.ColumnAffine(d, dst.Address(), x.Address(), row(stats, i), row(stats, i+1), x.Rows(), x.Cols(), dst.Stride(), x.Stride()))
}

// addUp sums n float64s at an address over processes, and a number of rows beside them,
// which it returns.
func (d *deviceTape) addUp(op string, at device.Address, n, rows int, sum func([]float64)) int {
	sums := append(read[float64](d, op, at, n), float64(rows))
	d.tape.addUp(sums, sum)
	bytes, err := binary.Append(nil, binary.LittleEndian, sums[:n])
	if err != nil {
		panic(err) // of types, which are as they are
	}
	d.must(op, d.Write(at, bytes))
	return int(sums[n])
}

func (d *deviceTape) batchNorm(c batchNormCall) (rows int) {
	const op = "a batch norm's statistics"
	n, cols := c.x.Rows(), c.x.Cols()
	moments, mean, variance := d.zeros(4*cols), row(c.stats, batchMean), row(c.stats, batchVariance) // moments are float64
	d.must(op, kernels.ColumnMoments(d, moments, c.x.Address(), d.get(4*cols*kernels.Parts(n)), n, cols, c.x.Stride()))
	if c.sum != nil {
		n = d.addUp(op, moments, 2*cols, n, c.sum)
	}
	d.must(op, kernels.ColumnStatistics(d, mean, row(c.stats, batchMeanRest), variance, moments, n, cols))
	d.must(op, kernels.UpdateRunning(d, c.runningMean.Address(), mean, 1, c.momentum, cols))
	d.must(op, kernels.UpdateRunning(d, c.runningVar.Address(), variance, float32(n)/float32(max(1, n-1)), c.momentum, cols))
	d.end(op, kernels.BatchNormStatistics(d, row(c.stats, batchScale), mean, variance, address(c.weight), address(c.bias), cols, c.eps))
	return n
}

func (d *deviceTape) batchNormGrad(dx, dweight, dbias, dy *tensor.Tensor, c batchNormCall, accumulate bool) {
	const op = "the gradient of a batch norm"
	cols, mean, rstd := c.x.Cols(), row(c.stats, batchMean), row(c.stats, batchRstd)
	sums := d.batchNormSums(op, dy, c.x, mean)
	d.batchNormWeightGrad(op, dweight, dbias, rstd, sums, cols) // of this process's rows
	if c.sum != nil {
		d.addUp(op, sums, 2*cols, 0, c.sum)
	}
	switch {
	case dx != nil && d.tape.company && c.sum != nil: // other rows decide the mean of dy, which is 0 of these
		if !accumulate {
			d.fill(dx, 0)
		}
	case dx != nil:
		n := c.x.Rows()
		factor, meanDy, slope, rest := d.get(cols), d.get(cols), d.get(cols), d.get(cols)
		d.must(op, kernels.BatchNormCoefficients(d, factor, meanDy, slope, rest, address(c.weight), rstd, row(c.stats, batchMeanRest), sums, c.rows, cols))
		d.must(op, kernels.BatchNormGrad(d, dx.Address(), dy.Address(), c.x.Address(), mean, factor, meanDy, slope, rest,
			n, cols, dx.Stride(), dy.Stride(), c.x.Stride(), accumulate))
	}
	d.end(op, nil)
}

// batchNormSums returns where the sums of each column of dy, and of dy times x less the
// mean, are, as float64s.
func (d *deviceTape) batchNormSums(op string, dy, x *tensor.Tensor, mean device.Address) device.Address {
	n, cols := x.Rows(), x.Cols()
	sums := d.zeros(4 * cols)
	d.must(op, kernels.BatchNormSums(d, sums, dy.Address(), x.Address(), mean, d.get(4*cols*kernels.Parts(n)), n, cols, dy.Stride(), x.Stride()))
	return sums
}

// batchNormWeightGrad sets the gradients of weight and bias, which may be nil.
func (d *deviceTape) batchNormWeightGrad(op string, dweight, dbias *tensor.Tensor, rstd, sums device.Address, cols int) {
	for _, v := range []*tensor.Tensor{dweight, dbias} {
		if v != nil {
			d.must(op, kernels.Fill(d, v.Address(), 0, cols))
		}
	}
	d.must(op, kernels.BatchNormWeightGrad(d, address(dweight), address(dbias), rstd, sums, cols))
}

func (d *deviceTape) batchNormInferenceGrad(dx, dweight, dbias, dy, x, mean, stats *tensor.Tensor) {
	const op = "the gradient of a batch norm by running statistics"
	cols := x.Cols()
	d.batchNormWeightGrad(op, dweight, dbias, row(stats, 2), d.batchNormSums(op, dy, x, mean.Address()), cols)
	d.end(op, kernels.ColumnAffine(d, dx.Address(), dy.Address(), row(stats, 0), d.zeros(cols), x.Rows(), cols, dx.Stride(), dy.Stride()))
}

func (d *deviceTape) embed(dst, table *tensor.Tensor, tokens []int32, scale float32) {
	for _, token := range tokens {
		checkToken(token, table.Rows())
	}
	d.end("an embedding", kernels.Embed(d, d.out(dst), d.in(table), d.putInts(tokens), len(tokens), table.Cols(), scale))
}

func (d *deviceTape) embedGrad(dtable, dy *tensor.Tensor, tokens []int32, scale float32, padding int32) {
	index := kernels.NewTokenIndex(tokens, dtable.Rows(), padding)
	at := d.putInts(append(append(append([]int32(nil), index.Tokens...), index.Starts...), index.Order...))
	d.end("the gradient of an embedding", kernels.EmbedGrad(d, dtable.Address(), d.in(dy), index, at, dtable.Cols(), scale))
}

func (d *deviceTape) embedReals(dst *tensor.Tensor, x []float32, w, b *tensor.Tensor) {
	d.end("an embedding of numbers", kernels.EmbedReals(d, d.out(dst), d.putFloats(x), d.in(w), d.in(b), len(x)/w.Rows(), w.Rows(), w.Cols()))
}

// embedRealsGrad computes dw = xᵀ dy.
func (d *deviceTape) embedRealsGrad(dw *tensor.Tensor, x []float32, dy *tensor.Tensor) {
	channels := dw.Rows()
	a := kernels.Matrix{At: d.putFloats(x), Row: 1, Col: channels}
	d.end("the gradient of an embedding of numbers", kernels.Product(d, kernels.Float32, matrix(dw, false), a, matrix(dy, false), kernels.Epilogue{}, 1, channels, dy.Cols(), dy.Rows()))
}

func (d *deviceTape) patches(dst *tensor.Tensor, pixels []float32, p patchGrid) {
	numbers := make([]float32, dst.Len())
	for i := range dst.Rows() {
		p.lay(numbers[i*dst.Cols():][:dst.Cols()], pixels, i)
	}
	d.copyRows(dst.Address(), d.putFloats(numbers), dst.Rows(), dst.Cols(), dst.Stride(), dst.Cols())
	d.end("an image's patches", nil)
}

func (d *deviceTape) meanPool(dst, x *tensor.Tensor, lengths []float32) {
	batch := max(1, len(lengths))
	d.end("a mean", kernels.MeanPool(d, d.out(dst), x.Address(), d.putFloats(lengths), batch, x.Rows()/batch, x.Cols(), x.Stride()))
}

func (d *deviceTape) meanPoolGrad(dx, dy *tensor.Tensor, lengths []float32) {
	batch := max(1, len(lengths))
	d.end("the gradient of a mean", kernels.MeanPoolGrad(d, dx.Address(), d.in(dy), d.putFloats(lengths), batch, dx.Rows()/batch, dx.Cols(), dx.Stride()))
}

func (d *deviceTape) placeRows(dst, x *tensor.Tensor, rows []int32, scale float32) {
	d.end("rows in place", kernels.PlaceRows(d, dst.Address(), x.Address(), d.putInts(rows), len(rows), x.Cols(), dst.Stride(), x.Stride(), scale))
}

func (d *deviceTape) takeRows(dst, x *tensor.Tensor, rows []int32, scale float32) {
	d.end("rows out of place", kernels.TakeRows(d, dst.Address(), x.Address(), d.putInts(rows), len(rows), x.Cols(), dst.Stride(), x.Stride(), scale))
}

func (d *deviceTape) joinBands(dst *tensor.Tensor, parts []*tensor.Tensor, words int) {
	head := parts[0]
	d.copy(dst.Columns(0, words), head.Columns(0, words))
	from := words
	for b, p := range parts[1:] {
		to := dst.Columns(from, from+p.Cols())
		column := head.Columns(words+b, words+b+1)
		d.must("bands", kernels.AddColumn(d, to.Address(), p.Address(), column.Address(), p.Rows(), p.Cols(), to.Stride(), p.Stride(), column.Stride()))
		from += p.Cols()
	}
}

func (d *deviceTape) rows(dst, src *tensor.Tensor, rows []int32) {
	d.end("rows", kernels.GatherRows(d, dst.Address(), src.Address(), d.putInts(rows), len(rows), dst.Cols(), dst.Stride(), src.Stride()))
}

func (d *deviceTape) rowsGrad(dsrc, dy *tensor.Tensor, rows []int32) {
	d.end("the gradient of rows", kernels.ScatterRows(d, dsrc.Address(), dy.Address(), d.putInts(rows), len(rows), dy.Cols(), dsrc.Stride(), dy.Stride()))
}

// An average is so many averages of one direction as kernels take.
type average struct {
	kernels.EMA
	direction int
}

// averages returns a moving average in the parts that kernels take, ready to scan.
func (d *deviceTape) averages(x *tensor.Tensor, batch, length int, p EMAParameters, c EMAConfig) []average {
	var all []average
	for direction := range c.directions() {
		for first := 0; first < c.States; first += kernels.EMAStates {
			e := kernels.EMA{Batch: batch, Length: length, Channels: x.Cols(), First: first, FromRight: direction == 1, Late: direction == 1 && c.Shifted, Taps: max(0, c.Truncation)}
			d.must("a moving average's coefficients", e.SetCoefficients(d, d.get(kernels.EMACoefficients*e.Channels), p.direction(direction, c, x.Cols()), c.States))
			all = append(all, average{e, direction})
		}
	}
	return all
}

func (c EMAConfig) directions() int {
	if c.Bidirectional {
		return 2
	}
	return 1
}

// direction returns the addresses of the parameters of a direction.
func (p EMAParameters) direction(i int, c EMAConfig, channels int) kernels.EMAParameters {
	return emaAddresses(p.Delta.Value(), p.Alpha.Value(), p.Beta.Value(), p.Gamma.Value(), i, c, channels)
}

func emaAddresses(delta, alpha, beta, gamma *tensor.Tensor, i int, c EMAConfig, channels int) kernels.EMAParameters {
	offset := device.Address(4 * i * channels * c.States)
	if c.Swapped {
		delta, alpha = alpha, delta
	}
	return kernels.EMAParameters{Delta: delta.Address() + offset, Alpha: alpha.Address() + offset, Beta: beta.Address() + offset, Gamma: gamma.Address() + offset}
}

func (d *deviceTape) ema(dst, x *tensor.Tensor, mask []bool, batch, length int, p EMAParameters, c EMAConfig, _ bool) *kernel.EMACoefficients {
	all := d.averages(x, batch, length, p, c)
	hidden, carry, omega := d.putMask(mask), d.get(all[0].Carries()), p.Omega.Value().Address()
	for _, e := range all {
		d.must("a moving average", e.Forward(d, dst.Address(), x.Address(), hidden, 0, omega, carry))
		omega = 0 // the next one adds to it
	}
	d.end("a moving average", nil)
	return nil
}

func (d *deviceTape) emaGrad(dx *tensor.Tensor, dparams [5]*tensor.Tensor, dy, x *tensor.Tensor, mask []bool, batch, length int, p EMAParameters, c EMAConfig, _ *kernel.EMACoefficients) {
	const op = "the gradient of a moving average"
	all, rows, cols := d.averages(x, batch, length, p, c), x.Rows(), x.Cols()
	hidden, carry, omega := d.putMask(mask), d.get(2*all[0].Carries()), p.Omega.Value().Address()
	for _, e := range all {
		back := e
		back.FromRight = !e.FromRight
		d.must(op, back.Forward(d, dx.Address(), dy.Address(), 0, hidden, omega, carry))
		omega = 0
		dOutput, dDecay := d.get(kernels.EMAStates*cols), d.get(kernels.EMAStates*cols)
		d.must(op, e.Gradients(d, dOutput, dDecay, dy.Address(), x.Address(), hidden, carry))
		grads := emaAddresses(dparams[0], dparams[1], dparams[2], dparams[3], e.direction, c, cols)
		d.must(op, e.Chain(d, grads, dOutput, dDecay, p.direction(e.direction, c, cols), c.States))
	}
	d.end(op, kernels.ColumnProducts(d, dparams[4].Address(), dy.Address(), x.Address(), d.get(cols*kernels.Parts(rows)), rows, cols, cols, cols))
}
