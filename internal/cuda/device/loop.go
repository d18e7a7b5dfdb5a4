package device

import "errors"

// A Loop is a device that several goroutines take turns to use. A device belongs to one
// goroutine, that of Loop's While, to which Do hands functions.
type Loop struct {
	Device
	jobs  chan *turn
	ended chan struct{}
}

// A turn is a function that has the device to itself.
type turn struct {
	run    func()
	broken any // a Failure or Panic that it ended with
	done   chan struct{}
}

// NewLoop returns the loop of a device.
func NewLoop(d Device) *Loop {
	return &Loop{Device: d, jobs: make(chan *turn), ended: make(chan struct{})}
}

var errEnded = errors.New("it is used after its loop has ended")

// Do runs f on the device's goroutine and returns when f has. If f panics with a Failure, Do
// panics with the same one, and if f panics with anything else, with a Panic of that. f must
// not call Do. On a nil Loop, which stands for the host, f runs at once.
func (l *Loop) Do(f func()) {
	if l == nil {
		f()
		return
	}
	t := &turn{run: f, done: make(chan struct{})}
	select {
	case l.jobs <- t:
	case <-l.ended:
		Must(l, "take a turn", errEnded)
	}
	if <-t.done; t.broken != nil {
		panic(t.broken)
	}
}

// While runs f on a goroutine of its own, and meanwhile what Do is given on the caller's,
// which must be the device's. It returns f's error when f has ended; nothing may call Do
// then.
func (l *Loop) While(f func() error) error {
	defer close(l.ended)
	result := make(chan error)
	go func() { result <- f() }()
	for {
		select {
		case t := <-l.jobs:
			t.take()
		case err := <-result:
			return err
		}
	}
}

// take runs the function of a turn.
func (t *turn) take() {
	defer close(t.done)
	defer func() { t.broken = Passed(recover()) }()
	t.run()
}
