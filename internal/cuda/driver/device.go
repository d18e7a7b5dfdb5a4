package driver

import (
	"fmt"
	"runtime"

	"github.com/mega-go/mega/internal/cuda/device"
)

// A Device is a GPU with kernels, ready to run them. Its methods may be called from any
// goroutine.
type Device struct {
	Info
	Driver *Driver

	jobs  chan *job
	ended chan struct{} // closed when the thread has ended
}

// Open readies a device to run the kernels of a module in PTX. Devices are numbered from
// 0 on.
func (d *Driver) Open(index int, ptx string) (*Device, error) {
	m, err := newModule(ptx)
	if err != nil {
		return nil, err
	}
	n, err := d.count()
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= n {
		return nil, fmt.Errorf("cuda: no device cuda:%d: %s", index, existing(n))
	}
	info, err := d.info(index)
	if err != nil {
		return nil, err
	}
	if has := 10*info.Major + info.Minor; has < m.capability {
		return nil, fmt.Errorf("cuda: %v has compute capability %d.%d, want %d.%d or later",
			info, info.Major, info.Minor, m.capability/10, m.capability%10)
	}
	dev := &Device{Info: info, Driver: d, jobs: make(chan *job), ended: make(chan struct{})}
	opened := make(chan error)
	go dev.serve(m, opened)
	if err := <-opened; err != nil {
		return nil, err
	}
	return dev, nil
}

// existing says which devices there are.
func existing(n int) string {
	switch n {
	case 0:
		return "the driver sees none"
	case 1:
		return "there is cuda:0 alone"
	}
	return fmt.Sprintf("there are cuda:0 to cuda:%d", n-1)
}

// A job is a function for the device's thread.
type job struct {
	run   func(*Stream) error // nil to close the device
	err   error
	value any // a Failure or Panic that it ended with
	done  chan struct{}
}

// serve is the device's thread: contexts belong to one.
func (d *Device) serve(m *module, opened chan<- error) {
	defer close(d.ended)
	runtime.LockOSThread()
	s, err := openStream(d.Driver, d.Info, m)
	opened <- err
	if err != nil {
		runtime.UnlockOSThread()
		return
	}
	defer s.close() // does nothing after the job to close
	for j := range d.jobs {
		if j.run == nil {
			j.err = s.close()
			runtime.UnlockOSThread() // no context is left there
			close(j.done)
			return
		}
		j.work(s)
	}
}

// work runs the job on the device's thread.
func (j *job) work(s *Stream) {
	defer close(j.done)
	defer s.inside.Store(false)
	defer func() { j.value = device.Passed(recover()) }()
	s.inside.Store(true)
	j.err = fmt.Errorf("cuda: a function on %v ended its goroutine", s.info) // unless it returns
	j.err = j.run(s)
}

// Run runs f on the device's thread, and returns what f does. If f panics with a
// device.Failure, Run panics with the same one, and if f panics with anything else, with a
// device.Panic of that. Work that f has given to the stream may still be running then. f must
// not call Run or Close, and must not keep the stream.
func (d *Device) Run(f func(*Stream) error) error {
	return d.do(&job{run: f, done: make(chan struct{})})
}

func (d *Device) do(j *job) error {
	select {
	case d.jobs <- j:
	case <-d.ended:
		return ErrClosed
	}
	if <-j.done; j.value != nil {
		panic(j.value)
	}
	return j.err
}

// The methods below are the stream's, each run by itself: they serve where work is not at
// hand as one function, and each takes a change of threads.

// SetTF32 implements device.Device. On a device that is closed it does nothing.
func (d *Device) SetTF32(on bool) {
	_ = d.Run(func(s *Stream) error { s.SetTF32(on); return nil }) // ErrClosed at most
}

// TF32 implements device.Device. It is false on a device that is closed.
func (d *Device) TF32() (on bool) {
	_ = d.Run(func(s *Stream) error { on = s.TF32(); return nil }) // ErrClosed at most
	return on
}

// Launch gives a kernel to the device and does not wait for it.
func (d *Device) Launch(kernel string, grid, block [3]int, args ...any) error {
	return d.Run(func(s *Stream) error { return s.Launch(kernel, grid, block, args...) })
}

// Alloc returns the address of n bytes, at a multiple of 256. They hold anything.
func (d *Device) Alloc(n int) (address uint64, err error) {
	err = d.Run(func(s *Stream) (err error) { address, err = s.Alloc(n); return err })
	return address, err
}

// Free ends the use of memory that Alloc returned.
func (d *Device) Free(address uint64) error {
	return d.Run(func(s *Stream) error { return s.Free(address) })
}

// Write copies data to an address, and returns when it is there.
func (d *Device) Write(address uint64, data []byte) error {
	return d.Run(func(s *Stream) error { return s.Write(address, data) })
}

// Read copies what is at an address to data, when all work before it is done.
func (d *Device) Read(data []byte, address uint64) error {
	return d.Run(func(s *Stream) error { return s.Read(data, address) })
}

// Close ends all work, and gives back all memory, of the device. Graphs and addresses
// are void then. Only the first call does anything.
func (d *Device) Close() error {
	err := d.do(&job{done: make(chan struct{})})
	if err == ErrClosed {
		return nil
	}
	return err
}
