package kernels

// ScaleRows multiplies scores by the Scale of s, divided as ElementWeights divides it.
func (s Scores) ScaleRows(d Device, scores, lengths Address) error {
	return rowsOf(d, "scale_scores", s.Segments*s.Queries, scores, lengths,
		int32(s.Segments), int32(s.Queries), int32(s.Keys), s.Scale, flag(s.Causal))
}

// biasSegments is how many segments the blocks of a bias's gradient take each.
const biasSegments = 16

// BiasParts returns how many numbers of memory BiasGrad needs.
func (s Scores) BiasParts() int {
	return ceilDiv(s.Segments, biasSegments) * (s.Queries + s.Keys - 1)
}

// BiasGrad adds the gradients of the bias to dbias, given those of scores. It is the
// address of the one of equal positions, as Bias is.
func (s Scores) BiasGrad(d Device, dbias, dscores, parts Address) error {
	all, count := s.Queries+s.Keys-1, ceilDiv(s.Segments, biasSegments)
	if s.Segments == 0 || all <= 0 {
		return nil
	}
	err := d.Launch("bias_parts", [3]int{ceilDiv(all, threads), count, 1}, [3]int{threads, 1, 1}, parts, dscores,
		int32(s.Segments), int32(s.Queries), int32(s.Keys), int32(biasSegments))
	if err != nil {
		return err
	}
	return SumParts(d, dbias-Address(4*(s.Queries-1)), parts, count, all)
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
