package kernels

// Attention describes kernel.Attention on a device: q and out have Queries rows in each of
// Segments segments, k and v Keys; q and k are Z wide, v and out H. No matrix of scores is
// in memory: tiles of them are made anew wherever they are needed.
type Attention struct {
	Function                int // the number of a kernel.AttentionFunction
	Segments, Queries, Keys int
	Z, H                    int
	Scale                   float32
	Causal                  bool
	Format                  Format // of the factors of products

	// Bias is the address of the bias of equal positions, of which there are Queries-1
	// before and Keys-1 after. Mask, bytes [Segments, Keys], is not 0 at padding, which
	// gets no weight; a softmax over nothing else gives 0. Lengths [Segments] are what
	// relu2 and laplace divide products by. Each may be 0: Lengths then stands for the
	// number of keys that a query sees, padding included.
	Bias, Mask, Lengths Address

	Dropout // of weights
}

// A Rows is a matrix whose rows are LD apart: in attention of all segments, one after the other.
type Rows struct {
	At Address
	LD int
}

// biasTiles is how many tiles' sums of gradients of the bias are added up at a time.
const biasTiles = 32

// columns of a block of an attention kernel: at most four chunks.
const (
	attentionChunk  = 64
	attentionChunks = 4
)

// An attentionTask is one kernel's: y = Σ w x, where the weights w come from a and b, and
// those of gradients from c and e too.
type attentionTask struct {
	kernel        string
	ownKeys       bool // rows of y are keys
	width         int  // columns of y
	y, a, b, x    Rows
	c, e          Rows
	logs, deltas  Address
	biasGradients Address // by tile of queries
}

func (t *attentionTask) launch(d Device, a *Attention) error {
	rows := a.Queries
	if t.ownKeys {
		rows = a.Keys
	}
	if a.Segments == 0 || rows == 0 || t.width == 0 {
		return nil
	}
	chunks := ceilDiv(t.width, attentionChunk)
	blocks := ceilDiv(chunks, attentionChunks)
	chunks = ceilDiv(chunks, blocks) // as even as may be
	args := []any{
		t.y.At, t.a.At, t.b.At, t.c.At, t.e.At, t.x.At, t.logs, t.deltas, t.biasGradients, a.Bias, a.Mask, a.Lengths,
		int32(a.Queries), int32(a.Keys), int32(a.Z), int32(a.H), int32(t.width), int32(chunks),
		int32(t.y.LD), int32(t.a.LD), int32(t.b.LD), int32(t.c.LD), int32(t.e.LD), int32(t.x.LD),
		a.Scale, int32(a.Function), flag(a.Causal),
	}
	return d.Launch("attention"+a.Format.suffix()+t.kernel, [3]int{ceilDiv(rows, tile) * a.Segments, blocks, 1}, [3]int{threads, 1, 1},
		append(args, a.Dropout.arguments()...)...)
}

// Forward sets out. logs [Segments Queries], of a softmax alone, receives what Backward
// needs of each row: the logarithm of Σ e^score. It may be 0.
func (a *Attention) Forward(d Device, out, q, k, v Rows, logs Address) error {
	t := attentionTask{width: a.H, y: out, a: q, b: k, x: v, logs: logs}
	return t.launch(d, a)
}

// BackwardMemory returns how many numbers of memory Backward needs.
func (a *Attention) BackwardMemory(bias bool) int {
	n := a.Segments * a.Queries
	if bias {
		tiles := a.Segments * ceilDiv(a.Queries, tile)
		n += tiles*(a.Keys+tile-1) + ceilDiv(tiles, biasTiles)*(a.Queries+a.Keys-1)
	}
	return n
}

// Backward sets dq, dk and dv from dout, and adds to dbias, which is laid out as Bias, or
// is 0. out and logs are Forward's.
func (a *Attention) Backward(d Device, dq, dk, dv Rows, dbias Address, dout, q, k, v, out Rows, logs, memory Address) error {
	rows := a.Segments * a.Queries
	deltas, tiles := memory, Address(0)
	if dbias != 0 {
		tiles = memory + Address(4*rows)
	}
	var err error
	if a.Function == 0 { // softmax
		err = rowsOf(d, "row_products", rows, deltas, dout.At, out.At, int32(rows), int32(a.H), int32(dout.LD), int32(out.LD))
	}
	for _, t := range []attentionTask{
		{kernel: "_values", ownKeys: true, width: a.H, y: dv, a: k, b: q, x: dout},
		{kernel: "_queries", width: a.Z, y: dq, a: q, b: k, c: dout, e: v, x: k, biasGradients: tiles},
		{kernel: "_keys", ownKeys: true, width: a.Z, y: dk, a: k, b: q, c: v, e: dout, x: q},
	} {
		if err == nil {
			t.logs, t.deltas = logs, deltas
			err = t.launch(d, a)
		}
	}
	if err != nil || dbias == 0 {
		return err
	}
	return a.biasGrad(d, dbias, tiles)
}

// biasGrad adds up the sums that tiles of queries have of the bias's gradients.
func (a *Attention) biasGrad(d Device, dbias, tiles Address) error {
	count, all := a.Segments*ceilDiv(a.Queries, tile), a.Queries+a.Keys-1
	if count == 0 || a.Keys == 0 {
		return nil
	}
	blocks := ceilDiv(count, biasTiles)
	parts := tiles + Address(4*count*(a.Keys+tile-1))
	err := d.Launch("attention_bias_parts", [3]int{ceilDiv(all, threads), blocks, 1}, [3]int{threads, 1, 1}, parts, tiles,
		int32(a.Segments), int32(a.Queries), int32(a.Keys), int32(biasTiles))
	if err != nil {
		return err
	}
	return SumParts(d, dbias-Address(4*(a.Queries-1)), parts, blocks, all)
}

// RotaryBias sets dst [rows] to the products of table [rows, z] with a conj(b), for a and
// b [z] as complex numbers, whose real parts come first.
func RotaryBias(d Device, dst, table, a, b Address, rows, z int) error {
	return rowsOf(d, "rotary_bias", rows, dst, table, a, b, int32(rows), int32(z))
}

// RotaryBiasGrad sets da and db from dw [z], the gradient of a conj(b).
func RotaryBiasGrad(d Device, da, db, dw, a, b Address, z int) error {
	return elements(d, "rotary_bias_grad", z/2, da, db, dw, a, b, int32(z))
}
