package autograd

import (
	"encoding/binary"

	"github.com/mega-go/mega/internal/cuda/device"
)

// What changes from step to step goes to the device's memory, and not into the arguments
// of launches: so steps of equal shapes launch the same, and can be replayed.

// A seedTable has the seeds of a step's random operations on the device.
type seedTable struct {
	places map[uint64]device.Address // of each
	first  uint64                    // draws of the tape before the table's
	blocks []device.Address          // of seedBlock seeds each
	used   int                       // blocks that have seeds of this step
}

const seedBlock = 256

// seedAt returns where a seed that the tape has drawn is on the device. Those that follow it
// are written with it.
func (d *deviceTape) seedAt(seed uint64) device.Address {
	s := &d.seeds
	if at, ok := s.places[seed]; ok {
		return at
	}
	if len(s.places) == 0 {
		s.first, s.used = d.tape.draws-1, 0
	}
	for s.first+uint64(s.used*seedBlock) < d.tape.draws {
		d.writeSeeds()
	}
	if at, ok := s.places[seed]; ok {
		return at
	}
	return d.put(binary.LittleEndian.AppendUint64(nil, seed)) // of an earlier SetSeed
}

// writeSeeds writes the table's next block.
func (d *deviceTape) writeSeeds() {
	s := &d.seeds
	if s.used == len(s.blocks) {
		at, err := d.Alloc(8 * seedBlock)
		d.must("allocate seeds", err)
		s.blocks = append(s.blocks, at)
	}
	at, numbers := s.blocks[s.used], make([]byte, 0, 8*seedBlock)
	for i := range uint64(seedBlock) {
		seed := drawnSeed(d.tape.seed, s.first+uint64(s.used*seedBlock)+i+1)
		s.places[seed] = at + device.Address(8*i)
		numbers = binary.LittleEndian.AppendUint64(numbers, seed)
	}
	d.must("copy seeds", d.Write(at, numbers))
	s.used++
}
