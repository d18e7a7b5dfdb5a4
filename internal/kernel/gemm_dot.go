package kernel

// dotRows is the largest number of rows of A for which a product with a
// transposed B is taken by dot products: packing B would take longer.
const dotRows = 3

// runDots computes every number of C as a dot product of a row of A and a
// stored row of Bᵀ, which is read once. It is what multiplies a vector by a
// matrix of weights. Each worker has one task: memory is fastest when read
// straight on.
func (p *product) runDots() {
	p.perTask = ceilDiv(p.n, min(p.wantedTasks(), p.workers.Size()))
	p.spread(ceilDiv(p.n, p.perTask), (*product).runDotTask)
}

// runDotTask computes perTask columns of C.
func (p *product) runDotTask(i int) {
	j0 := i * p.perTask
	j1 := min(j0+p.perTask, p.n)
	c := p.out.sums()
	for j := j0; j < j1; j++ {
		b := p.raw.Data[j*p.raw.Stride:][:p.k]
		for row := range p.m {
			v := Dot(p.a.Data[row*p.a.Stride:][:p.k], b)
			at := row*p.out.ldc + j
			switch {
			case p.out.e.Accumulate:
				v += c[at]
			case p.out.e.Base != nil:
				v += p.out.e.Base[row*p.out.e.BaseStride+j]
			}
			if p.out.e.Bias != nil {
				v += p.out.e.Bias[j]
			}
			c[at] = v
		}
	}
	p.out.finish(0, p.m, j0, j1-j0)
}
