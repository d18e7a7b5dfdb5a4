// Package mt19937 is the Mersenne Twister as numpy's RandomState and torch's
// CPU generator drive it. It exists only to reproduce data orders and splits of the
// reference; new randomness in this module comes from math/rand/v2.
package mt19937

const (
	stateLen = 624
	shift    = 397
	upper    = 0x80000000 // most significant bit of a word
	lower    = 0x7fffffff // the other 31
	matrix   = 0x9908b0df
)

// Source is a Mersenne Twister (Matsumoto and Nishimura, 1998). Its methods
// draw numbers in numpy.random.RandomState's order. It is not safe for
// concurrent use.
type Source struct {
	key [stateLen]uint32
	pos int
}

// New returns the state of numpy.random.RandomState(seed) with an integer
// seed, which is torch's manual_seed(seed) as well.
func New(seed uint32) *Source {
	s := &Source{pos: stateLen}
	s.initialise(seed)
	return s
}

// NewArray returns the state of numpy.random.RandomState([seed...]). The array
// must not be empty.
func NewArray(seed []uint32) *Source {
	s := &Source{pos: stateLen}
	s.initialise(19650218)
	k := &s.key
	i, j := 1, 0
	for range max(stateLen, len(seed)) {
		k[i] = (k[i] ^ (k[i-1]^(k[i-1]>>30))*1664525) + seed[j] + uint32(j)
		i = s.wrap(i + 1)
		j = (j + 1) % len(seed)
	}
	for range stateLen - 1 {
		k[i] = (k[i] ^ (k[i-1]^(k[i-1]>>30))*1566083941) - uint32(i)
		i = s.wrap(i + 1)
	}
	k[0] = upper
	return s
}

// initialise fills the key from one word by Knuth's linear recurrence.
func (s *Source) initialise(seed uint32) {
	for i := range s.key {
		s.key[i] = seed
		seed = 1812433253*(seed^(seed>>30)) + uint32(i) + 1
	}
}

// wrap copies the last word of the key to the first when i has reached the end, and
// returns the index to continue from.
func (s *Source) wrap(i int) int {
	if i < stateLen {
		return i
	}
	s.key[0] = s.key[stateLen-1]
	return 1
}

// twist makes the next 624 words.
func (s *Source) twist() {
	k := &s.key
	for i := range k {
		y := k[i]&upper | k[(i+1)%stateLen]&lower
		next := k[(i+shift)%stateLen] ^ y>>1
		if y&1 != 0 {
			next ^= matrix
		}
		k[i] = next
	}
	s.pos = 0
}

// Uint32 returns 32 random bits.
func (s *Source) Uint32() uint32 {
	if s.pos == stateLen {
		s.twist()
	}
	y := s.key[s.pos]
	s.pos++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// upTo returns a number in [0, most] by drawing as many bits as most has until
// they fit: random_interval of numpy's legacy distributions.
func (s *Source) upTo(most uint32) uint32 {
	mask := most
	for n := 1; n < 32; n *= 2 {
		mask |= mask >> n
	}
	for {
		if v := s.Uint32() & mask; v <= most {
			return v
		}
	}
}

// Intn returns a number in [0, n): randint(n). n is 1 to 1<<31.
func (s *Source) Intn(n int) int {
	if n == 1 {
		return 0 // drawn without touching the state, as numpy does
	}
	return int(s.upTo(uint32(n - 1)))
}

// Shuffle permutes n things as numpy.random.RandomState.shuffle does.
func (s *Source) Shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, int(s.upTo(uint32(i))))
	}
}

// Permutation returns 0..n-1 in the order of numpy's permutation(n).
func (s *Source) Permutation(n int) []int {
	p := identity(n)
	s.Shuffle(n, func(i, j int) { p[i], p[j] = p[j], p[i] })
	return p
}

// TorchPermutation returns 0..n-1 in the order of torch.randperm(n) on the CPU,
// which is what torch.utils.data.random_split cuts.
func (s *Source) TorchPermutation(n int) []int {
	p := identity(n)
	for i := range n - 1 {
		j := i + int(s.Uint32()%uint32(n-i))
		p[i], p[j] = p[j], p[i]
	}
	return p
}

func identity(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	return p
}
