package train

import (
	"fmt"
	"math"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// Values of Config.ZeroSharding, which are fairseq's.
const (
	shardNothing   = "none"
	shardOptimizer = "os" // the state of the optimiser
)

// A sharding is an optimiser whose moments are divided among processes: the first stage
// of ZeRO (arXiv 1910.02054). Each process keeps the moments of the parts of gradients
// that it adds up anyway. It updates the weights there, and all gather the weights in
// place of the gradients, so that as many bytes travel as without.
//
// Nothing depends, in any bit, on how moments are divided: an update is of each number
// by itself, and the norm of the gradients is added up from sums of the same blocks in
// the same order.
type sharding struct {
	*exchange
	parts   []part           // of each bucket
	shares  [][]*share       // of each parameter, in order
	squares []float64        // of the gradients of each block, parameter after parameter
	first   []int            // where those of each parameter begin
	news    []float32        // squares and flags on their way
	most    int              // blocks that one process has
	half    []uint16         // a part in bfloat16
	tensors []*nn.Buffer     // whole moments, m and v of each parameter in turn, one at a time in the memory of gradients
	adams   []*autograd.Adam // of this process's shares of each bucket
}

// A part is the shares of a bucket that belong to this process, and those of others.
type part struct{ mine, theirs []*share }

// A share is numbers [from, to) of a parameter, whose moments one process keeps. They
// are whole blocks of the optimiser.
type share struct {
	param, from, to int
	at              int // in the exchange's memory
	owner           int
	moments         []*tensor.Tensor // m and v; nil in other processes
}

// newSharding divides the moments of parameters among the processes of an exchange.
func newSharding(x *exchange, params []*autograd.Variable, c AdamConfig) *sharding {
	s := &sharding{exchange: x, parts: make([]part, len(x.buckets)), shares: make([][]*share, len(params))}
	defer device.Abandon(s.close)
	for i, p := range x.params {
		s.divide(i)
		s.first = append(s.first, len(s.squares))
		n := tensor.Size(p.Shape())
		s.squares = append(s.squares, make([]float64, blocksIn(n))...)
		for _, suffix := range momentNames {
			s.tensors = append(s.tensors, &nn.Buffer{Name: p.Name + suffix, Tensor: tensor.FromSlice(x.memory[:n], p.Shape()...)})
		}
	}
	for _, p := range s.parts {
		s.adams = append(s.adams, p.adam(params, c))
	}
	blocks := make([]int, x.comm.Size())
	s.eachShare(func(h *share) { blocks[h.owner] += blocksIn(h.to - h.from) })
	for _, n := range blocks {
		s.most = max(s.most, n)
	}
	s.news = x.comm.Memory(x.comm.Size() * (float64Words*s.most + len(params)))
	return s
}

// close gives a device back the memory of the moments.
func (s *sharding) close() {
	for _, adam := range s.adams {
		adam.Close()
	}
}

// adam returns an optimiser of this process's shares of a bucket, which get its moments.
func (p part) adam(params []*autograd.Variable, c AdamConfig) *autograd.Adam {
	var ranges []autograd.AdamRange
	for _, h := range p.mine {
		ranges = append(ranges, autograd.AdamRange{Param: h.param, From: h.from, To: h.to})
	}
	adam := autograd.NewAdamOf(params, ranges, c)
	for i, h := range p.mine {
		h.moments = adam.Moments()[2*i : 2*i+2]
	}
	return adam
}

// blocksIn returns how many blocks n numbers are.
func blocksIn(n int) int { return (n + autograd.AdamBlock - 1) / autograd.AdamBlock }

// divide cuts a parameter into shares, at the ends of buckets and of their parts.
func (s *sharding) divide(i int) {
	n := tensor.Size(s.params[i].Shape())
	for from, k := 0, 0; from < n; {
		at := s.at[i] + from
		for s.buckets[k].to <= at {
			k++
		}
		b := s.buckets[k]
		each := (b.to - b.from) / s.comm.Size()
		owner := (at - b.from) / each
		h := &share{param: i, from: from, to: min(n, b.from+(owner+1)*each-s.at[i]), at: at, owner: owner}
		s.shares[i] = append(s.shares[i], h)
		if p := &s.parts[k]; owner == s.comm.Rank() {
			p.mine = append(p.mine, h)
		} else {
			p.theirs = append(p.theirs, h)
		}
		from = h.to
	}
}

// eachShare calls f for all shares of all processes, parameter after parameter.
func (s *sharding) eachShare(f func(h *share)) {
	for _, shares := range s.shares {
		for _, h := range shares {
			f(h)
		}
	}
}

// squaresOf returns the sums of the blocks of a share.
func (s *sharding) squaresOf(h *share) []float64 {
	from := s.first[h.param] + h.from/autograd.AdamBlock
	return s.squares[from : from+blocksIn(h.to-h.from)]
}

// gather waits for the sums of this process's parts of the gradients, and learns the
// squares of all.
func (s *sharding) gather(grads []*tensor.Tensor) error {
	s.complete()
	for i := range s.params {
		grads[i] = s.gradient(i) // zeros where there is none
	}
	for k, b := range s.buckets {
		if err := b.wait(); err != nil {
			return err
		}
		if s.bf16 {
			s.round(s.comm.Part(s.memory[b.from:b.to]))
		}
		if s.there != nil {
			for _, h := range s.parts[k].mine {
				grads[h.param].WriteHostRange(h.from, s.memory[h.at:][:h.to-h.from])
			}
		}
		squares := s.adams[k].Squares(grads)
		for _, h := range s.parts[k].mine {
			squares = squares[copy(s.squaresOf(h), squares):]
		}
	}
	if err := s.exchangeNews(); err != nil {
		return err
	}
	s.results(grads)
	return nil
}

// round rounds sums to bfloat16, as they are where all processes gather them.
func (s *sharding) round(sum []float32) {
	if len(s.half) < len(sum) {
		s.half = make([]uint16, len(sum))
	}
	half := s.half[:len(sum)]
	dtype.RoundBF16(half, sum)
	clear(sum)
	dtype.AddBF16(sum, half)
}

// float64Words is how many float32 are as long as a float64.
const float64Words = 2

// exchangeNews completes squares and flags by those of other processes.
func (s *sharding) exchangeNews() error {
	news := s.comm.Part(s.news)
	copy(news[float64Words*s.most:], s.flags)
	s.eachNews(func(h *share, squares []byte) {
		if h.owner == s.comm.Rank() {
			copy(squares, dtype.Bytes(s.squaresOf(h)))
		}
	})
	if err := s.comm.StartAllGather(fmt.Sprintf("update %d, norm of the gradients", s.update), s.news, false)(); err != nil {
		return err
	}
	s.eachNews(func(h *share, squares []byte) { copy(dtype.Bytes(s.squaresOf(h)), squares) })
	each := len(news)
	for from := 0; from < len(s.news); from += each {
		for i, flag := range s.news[from+float64Words*s.most : from+each] {
			s.flags[i] = max(s.flags[i], flag)
		}
	}
	return nil
}

// eachNews calls f for all shares, with where the squares of their blocks travel.
func (s *sharding) eachNews(f func(h *share, squares []byte)) {
	each := len(s.news) / s.comm.Size()
	next := make([]int, s.comm.Size())
	s.eachShare(func(h *share) {
		from := h.owner*each + next[h.owner]
		n := float64Words * blocksIn(h.to-h.from)
		next[h.owner] += n
		f(h, dtype.Bytes(s.news[from:from+n]))
	})
}

// notFinite returns the first parameter whose gradient is not finite, −1 if all are.
func (s *sharding) notFinite() int {
	param := len(s.first) - 1
	found := -1
	for i := len(s.squares) - 1; i >= 0; i-- {
		for s.first[param] > i {
			param--
		}
		if x := s.squares[i]; math.IsNaN(x) || math.IsInf(x, 0) {
			found = param
		}
	}
	return found
}

// step updates this process's shares, bucket after bucket, and begins to send them.
func (s *sharding) step(grads []*tensor.Tensor, t int, lr, scale float64) {
	for k, b := range s.buckets {
		s.adams[k].Step(grads, t, lr, scale)
		for _, h := range s.parts[k].mine {
			s.params[h.param].Value().HostRange(s.memory[h.at:][:h.to-h.from], h.from)
		}
		what := fmt.Sprintf("update %d, bucket %d of %d of the weights", s.update, k+1, len(s.buckets))
		b.wait = s.comm.StartAllGather(what, s.memory[b.from:b.to], false)
	}
}

// arrive takes the shares that other processes have updated.
func (s *sharding) arrive() error {
	for k, b := range s.buckets {
		if err := b.wait(); err != nil {
			return err
		}
		for _, h := range s.parts[k].theirs {
			s.params[h.param].Value().WriteHostRange(h.from, s.memory[h.at:][:h.to-h.from])
		}
	}
	return nil
}

// kept lists the moments of this process's shares.
func (s *sharding) kept() (out []*nn.Buffer) {
	s.eachShare(func(h *share) {
		for i, m := range h.moments {
			out = append(out, &nn.Buffer{Name: s.params[h.param].Name + momentNames[i], Tensor: m})
		}
	})
	return out
}

// Checkpoints hold whole moments. Process 0 writes and reads them one tensor after
// another, and says so to the others, which serve it meanwhile: they have no part in
// what it does with files, and need not know when it fails.

// What process 0 says to the others.
const (
	enough      = iota // serve no longer
	giveMoments        // put tensor i together
	takeMoments        // take your shares of tensor i
)

// give puts whole moments i, which other processes have shares of, into their tensor.
func (s *sharding) give(i int) error {
	if err := s.say(giveMoments, i); err != nil {
		return err
	}
	return s.assemble(i)
}

// take gives the processes their shares of moments i, which were read into their tensor.
func (s *sharding) take(i int) error {
	b := s.tensors[i]
	switch {
	case !b.AllFinite():
		return errNotFinite(b.Name)
	case i%2 == 1 && negative(b):
		return errNegative(b.Name)
	}
	if err := s.say(takeMoments, i); err != nil {
		return err
	}
	return s.distribute(i)
}

// serve does what process 0 wants done with moments until it has enough, which is when
// process 0 calls serve.
func (s *sharding) serve() error {
	if s.comm.Rank() == 0 {
		return s.say(enough, 0)
	}
	for {
		words := make([]int64, 2)
		if err := s.comm.Broadcast(servingMoments, dtype.Bytes(words), 0); err != nil || words[0] == enough {
			return err
		}
		do := s.assemble
		if words[0] == takeMoments {
			do = s.distribute
		}
		if err := do(int(words[1])); err != nil {
			return err
		}
	}
}

const servingMoments = "the moments of a checkpoint"

func (s *sharding) say(what, i int) error {
	return s.comm.Broadcast(servingMoments, dtype.Bytes([]int64{int64(what), int64(i)}), 0)
}

// assemble puts moments i together from all shares, in all processes.
func (s *sharding) assemble(i int) error {
	for _, h := range s.shares[i/2] {
		x := s.memory[h.from:h.to]
		if h.moments != nil {
			h.moments[i%2].HostRange(x, 0)
		}
		if err := s.comm.Broadcast(servingMoments, dtype.Bytes(x), h.owner); err != nil {
			return err
		}
	}
	return nil
}

// distribute takes this process's shares of moments i, which process 0 has whole.
func (s *sharding) distribute(i int) error {
	x := s.memory[:s.tensors[i].Len()]
	if err := s.comm.Broadcast(servingMoments, dtype.Bytes(x), 0); err != nil {
		return err
	}
	for _, h := range s.shares[i/2] {
		if h.moments != nil {
			h.moments[i%2].WriteHostRange(0, x[h.from:h.to])
		}
	}
	return nil
}
