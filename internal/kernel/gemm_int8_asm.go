//go:build (amd64 || arm64) && !purego

package kernel

// An intStripFunc is a stripFunc for panels of bytes with scales.
type intStripFunc func(k int, a *float32, as, ks int, b *int8, scales *float32, bs int, c *float32, ldc, n int, bias *float32, add uint64)

// int8Implementation returns the implementation of products with bytes.
func int8Implementation() Implementation { return current }

// runInts computes a strip of bytes.
func (s *strip) runInts(impl Implementation) {
	if impl == Generic {
		s.runIntsGeneric()
		return
	}
	var a, bias *float32
	var b *int8
	nr := tilings[impl].nr
	if s.k > 0 {
		_ = s.a[(s.m-1)*s.as+(s.k-1)*s.ks]
		_ = s.ints[(s.n-1)/nr*s.bs+s.k*nr-1]
		a, b = &s.a[0], &s.ints[0]
	}
	_ = s.scales[roundUp(s.n, nr)-1]
	if s.bias != nil {
		_ = s.bias[s.n-1]
		bias = &s.bias[0]
	}
	_ = s.c[(s.m-1)*s.ldc+s.n-1]
	add := uint64(0)
	if s.add {
		add = 1
	}
	intStrips[impl][s.m](s.k, a, 4*s.as, 4*s.ks, b, &s.scales[0], s.bs, &s.c[0], 4*s.ldc, s.n, bias, add)
}
