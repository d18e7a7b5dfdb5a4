package driver

import (
	"errors"
	"fmt"

	"github.com/mega-go/mega/internal/cuda/device"
)

// A Graph is work of a stream that can be given to it again, as it was, by one call.
type Graph struct {
	stream     *Stream
	executable uintptr
}

// relaxed is the mode of a capture in which memory may be taken
// (CU_STREAM_CAPTURE_MODE_RELAXED).
const relaxed = 2

// CanCapture returns nil, or why the driver has no graphs.
func (s *Stream) CanCapture() error {
	if s.calls.instantiate == nil {
		return fmt.Errorf("cuda: %v: graphs need CUDA 11.4 or later, and the driver is %v", s.info, s.driver)
	}
	return nil
}

// Capture returns what f gives to the stream as a graph, and runs none of it. f may take
// and free memory, and must not read, write or wait. While there are graphs, memory that
// was freed is not given back to the driver: replays use the addresses that f had.
func (s *Stream) Capture(f func() error) (device.Graph, error) {
	const step = "capturing a graph"
	if err := s.atRest(step); err != nil {
		return nil, err
	}
	if err := s.CanCapture(); err != nil {
		return nil, err
	}
	if r := s.calls.beginCapture(s.stream, relaxed); r != success {
		return nil, s.fail(step, "cuStreamBeginCapture_v2", r)
	}
	graph, err := s.record(f)
	if err != nil {
		return nil, err
	}
	g := &Graph{stream: s}
	r := s.calls.instantiate(&g.executable, graph, 0)
	dropped := s.calls.dropGraph(graph)
	if r != success {
		return nil, s.fail(step, "cuGraphInstantiateWithFlags", r)
	}
	s.graphs[g] = true
	if dropped != success {
		return nil, errors.Join(s.fail(step, "cuGraphDestroy", dropped), g.Drop())
	}
	return g, nil
}

// record runs f between the beginning of a capture and its end, which comes even if f
// fails or panics.
func (s *Stream) record(f func() error) (graph uintptr, err error) {
	s.capturing = true
	returned := false
	defer func() {
		s.capturing = false
		r := s.calls.endCapture(s.stream, &graph)
		if returned && err == nil && r == success {
			return
		}
		if err == nil {
			err = s.fail("capturing a graph", "cuStreamEndCapture", r)
		}
		if graph != 0 {
			s.calls.dropGraph(graph) // of which err says why it is of no use
		}
	}()
	err = f()
	returned = true
	return 0, err
}

// Replay gives the work of the graph to its stream again.
func (g *Graph) Replay() error {
	s := g.stream
	const step = "replaying a graph"
	if err := s.atRest(step); err != nil {
		return err
	}
	if !s.graphs[g] {
		return fmt.Errorf("cuda: %v: %s that was dropped", s.info, step)
	}
	return s.fail(step, "cuGraphLaunch", s.calls.replay(g.executable, s.stream))
}

// Drop ends the graph. It waits until no replay runs.
func (g *Graph) Drop() error {
	s := g.stream
	const step = "dropping a graph"
	if err := s.atRest(step); err != nil {
		return err
	}
	if !s.graphs[g] {
		return fmt.Errorf("cuda: %v: %s that was dropped", s.info, step)
	}
	delete(s.graphs, g)
	waited := s.wait(step)
	return errors.Join(waited, s.fail(step, "cuGraphExecDestroy", s.calls.dropReplay(g.executable)))
}
