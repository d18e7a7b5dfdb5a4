package mega_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/devicetest"
)

// onDevice returns a language model on a device.
func onDevice(t *testing.T, change func(*mega.LanguageModelConfig)) *mega.LanguageModel {
	t.Helper()
	m := newModel(t, change)
	m.Params().Move(devicetest.New(t))
	return m
}

// A told is what a session said at a place.
type told struct {
	place    string
	logProbs []float32
}

// sessionCourse takes sessions of a model through all that can be done with them, and
// returns what they said.
func sessionCourse(t *testing.T, m *mega.LanguageModel) (said []told) {
	t.Helper()
	vocab := m.Config().VocabSize
	tell := func(place string, p []float32, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(place, err)
		}
		said = append(said, told{place, slices.Clone(p)})
	}
	s := m.NewBatch(2)
	err := s.Prefill(text(1, 2*6, vocab))
	tell("a piece of a chunk", s.LogProbs(), err)
	for i := range 3 { // over the end of a chunk
		p, err := s.Step(text(uint64(10+i), 2, vocab)...)
		tell("a step", p, err)
	}
	err = s.Prefill(text(2, 2*(7+8+2), vocab))
	tell("chunks and a piece", s.LogProbs(), err)
	features, err := s.Features(text(3, 2*3, vocab))
	if err != nil {
		t.Fatal(err)
	}
	tape := autograd.NewTape()
	tape.SetDevice(m.Params().Device())
	scores, err := m.TargetLogProbs(tape, features, text(4, 2*3, vocab), 2)
	var narrow []float32
	for _, x := range scores {
		narrow = append(narrow, float32(x))
	}
	tell("targets", narrow, err)
	alone, copied := s.CloneRow(1), s.Clone()
	if err := s.Reorder(1, 0, 1); err != nil {
		t.Fatal(err)
	}
	p, err := s.Step(text(5, 3, vocab)...)
	tell("rows in another order", p, err)
	p, err = alone.Step(7)
	tell("a row by itself", p, err)
	p, err = copied.Step(8, 9)
	tell("a copy", p, err)
	joined, err := mega.Join(copied, alone)
	if err != nil {
		t.Fatal(err)
	}
	p, err = joined.Step(4, 5, 6)
	tell("joined", p, err)
	return said
}

// differ returns the place where sessions said another thing than others, and by how much,
// "" if they agree to within what rounding makes of log-probabilities.
func differ(got, want []told) string {
	const tolerance = 2e-5
	for i, w := range want {
		for j := range w.logProbs {
			if d := math.Abs(float64(got[i].logProbs[j] - w.logProbs[j])); !(d <= tolerance) {
				return fmt.Sprintf("%s: log-probability %v, want %v", w.place, got[i].logProbs[j], w.logProbs[j])
			}
		}
	}
	return ""
}

// TestSessionOnDevice holds sessions on a device against those of the CPU, frozen or not.
func TestSessionOnDevice(t *testing.T) {
	for _, name := range []string{"plain", "unchunked", "simple", "laplace", "adaptive", "17 states", "33 states"} {
		change := sessionModels[name]
		if testing.Short() && name != "plain" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			want := sessionCourse(t, newModel(t, change))
			m := onDevice(t, change)
			if wrong := differ(sessionCourse(t, m), want); wrong != "" {
				t.Error(wrong)
			}
			if name != "plain" {
				return
			}
			defer m.Freeze()()
			if wrong := differ(sessionCourse(t, m), want); wrong != "" {
				t.Error("frozen: ", wrong)
			}
		})
	}
}

// TestSessionOnDeviceWhole holds steps on a device against reading a text whole.
func TestSessionOnDeviceWhole(t *testing.T) {
	m := onDevice(t, sessionModels["plain"])
	vocab := m.Config().VocabSize
	tokens := text(6, 19, vocab)
	want := fullLogProbs(t, newModel(t, sessionModels["plain"]), tokens)
	s := m.NewSession()
	for i, token := range tokens {
		p, err := s.Step(token)
		if err != nil {
			t.Fatal(err)
		}
		compareRow(t, "whole", p, want.Row(i))
	}
}

// TestSessionFilesOfDevices holds that what a device saves the CPU goes on from, and the
// other way round.
func TestSessionFilesOfDevices(t *testing.T) {
	for _, name := range []string{"plain", "33 states"} {
		t.Run(name, func(t *testing.T) { filesOfDevices(t, sessionModels[name]) })
	}
}

func filesOfDevices(t *testing.T, change func(*mega.LanguageModelConfig)) {
	models := []*mega.LanguageModel{newModel(t, change), onDevice(t, change)}
	vocab := models[0].Config().VocabSize
	var after []told
	for from, m := range models {
		s := m.NewBatch(2)
		if err := s.Prefill(text(7, 2*13, vocab)); err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if err := s.Save(&file); err != nil {
			t.Fatal(err)
		}
		for to, other := range models {
			loaded, err := other.LoadSession(bytes.NewReader(file.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			p, err := loaded.Step(5, 6)
			if err != nil {
				t.Fatal(err)
			}
			after = append(after, told{fmt.Sprintf("from %d to %d", from, to), slices.Clone(p)})
		}
	}
	for i := range after[1:] {
		if wrong := differ(after[i+1:i+2], after[:1]); wrong != "" {
			t.Errorf("%s: %s", after[i+1].place, wrong)
		}
	}
}

// TestTranslatorSessionOnDevice holds translators' sessions on a device against those of
// the CPU: steps, another order of rows, and what is attended to.
func TestTranslatorSessionOnDevice(t *testing.T) {
	source := []int32{4, 5, 6, 7, 2, 1, 1, 8, 9, 10, 11, 12, 13, 2}
	course := func(t *testing.T, m *mega.Translator) (said []told) {
		s, err := m.NewSession(source, 2, 7)
		if err != nil {
			t.Fatal(err)
		}
		step := func(tokens ...int32) {
			p, err := s.Step(tokens...)
			if err != nil {
				t.Fatal(err)
			}
			said = append(said, told{"a step", slices.Clone(p)}, told{"attention", s.Attention(1)})
		}
		step(2, 2)
		step(5, 6)
		if err := s.Reorder(1, 1, 0); err != nil {
			t.Fatal(err)
		}
		step(7, 8, 9)
		step(4, 5, 6)
		return said
	}
	for _, name := range []string{"chunks", "rotary", "laplace", "24 states"} {
		change := translatorVariants[name]
		if testing.Short() && name != "chunks" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			want := course(t, smallTranslator(t, change))
			m := smallTranslator(t, change)
			m.Params().Move(devicetest.New(t))
			if wrong := differ(course(t, m), want); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}

// TestDeviceMemoryComesBack holds that the memory of sessions that nobody holds serves
// others.
func TestDeviceMemoryComesBack(t *testing.T) {
	m, counted := newModel(t, sessionModels["plain"]), devicetest.NewCounter(t)
	m.Params().Move(counted)
	before := 0
	for i := range 60 {
		if err := m.NewBatch(3).Prefill(text(8, 3*2, m.Config().VocabSize)); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		if i == 20 {
			before = counted.Bytes
		}
	}
	if counted.Bytes > before*5/4 {
		t.Errorf("%d bytes after twenty sessions and %d after sixty", before, counted.Bytes)
	}
}

// TestLeaveDevice holds that models which leave a device leave nothing there, whoever still
// holds their sessions, and compute on the CPU as before.
func TestLeaveDevice(t *testing.T) {
	counted := devicetest.NewCounter(t)
	m := newModel(t, sessionModels["plain"])
	tokens := text(8, 11, m.Config().VocabSize)
	read := func() []float32 {
		s := m.NewSession()
		if err := s.Prefill(tokens); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(s.LogProbs())
	}
	want := read()
	m.Params().Move(counted)
	m.Freeze()
	held := m.NewBatch(2)
	if got := read(); farthest(got, want) > 1e-5 {
		t.Errorf("on the device %v, want %v", got, want)
	}
	m.LeaveDevice()
	if counted.Bytes != 0 {
		t.Errorf("%d bytes are left of a language model", counted.Bytes)
	}
	runtime.KeepAlive(held)
	if got := read(); !slices.Equal(got, want) {
		t.Errorf("after the device %v, want %v", got, want)
	}
	x := smallTranslator(t, translatorVariants["rotary"])
	x.Params().Move(counted)
	s, err := x.NewSession([]int32{4, 5, 2}, 1, 3)
	if err == nil {
		_, err = s.Step(2)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Attention(0)
	if x.LeaveDevice(); counted.Bytes != 0 {
		t.Errorf("%d bytes are left of a translator", counted.Bytes)
	}
}

// TestTextsSideBySideOnDevice holds that on a device, too, no bit of what is said of a text
// depends on those beside it.
func TestTextsSideBySideOnDevice(t *testing.T) {
	if testing.Short() {
		t.Skip("the interpreter takes its time")
	}
	if row, step := sideBySide(t, onDevice(t, sessionModels["laplace"]), 3); row >= 0 {
		t.Errorf("text %d is another at step %d", row, step)
	}
}

// TestBF16OnDevice holds that a model in bfloat16 rounds on a device as it does on the CPU:
// its log-probabilities are nearer to those of the CPU in bfloat16 than to the exact ones.
func TestBF16OnDevice(t *testing.T) {
	said := func(m *mega.LanguageModel, bf16 bool) []float32 {
		m.SetBF16(bf16)
		defer m.Freeze()()
		s := m.NewSession()
		if err := s.Prefill(text(9, 11, m.Config().VocabSize)); err != nil {
			t.Fatal(err)
		}
		return s.LogProbs()
	}
	change := sessionModels["plain"]
	exact, want, got := said(newModel(t, change), false), said(newModel(t, change), true), said(onDevice(t, change), true)
	if near, far := farthest(got, want), farthest(got, exact); near > far/4 || far == 0 {
		t.Errorf("off by %.2g of the largest from the CPU in bfloat16, and by %.2g from float32", near, far)
	}
}

// broken is a device that fails from when it breaks.
type broken struct {
	device.Device
	now bool
}

var errBroken = errors.New("it broke")

func (b *broken) Alloc(n int) (device.Address, error) {
	if b.now {
		return 0, errBroken
	}
	return b.Device.Alloc(n)
}

func (b *broken) Read(data []byte, at device.Address) error {
	if b.now {
		return errBroken
	}
	return b.Device.Read(data, at)
}

func (b *broken) Launch(kernel string, grid, block [3]int, args ...any) error {
	if b.now {
		return errBroken
	}
	return b.Device.Launch(kernel, grid, block, args...)
}

// TestBrokenDevice holds that what a session does on a device that fails is an error of
// the session, and that a model's checksum is right once the device works again.
func TestBrokenDevice(t *testing.T) {
	on := &broken{Device: devicetest.New(t)}
	m := newModel(t, sessionModels["plain"])
	m.Params().Move(on)
	vocab := m.Config().VocabSize
	defer m.Freeze()()
	begin := func() *mega.Session {
		s := m.NewBatch(2)
		if err := s.Prefill(text(1, 2*9, vocab)); err != nil {
			t.Fatal(err)
		}
		return s
	}
	x := smallTranslator(t, translatorVariants["chunks"])
	x.Params().Move(on)
	translating, err := x.NewSession([]int32{4, 5, 2, 6, 7, 2}, 2, 3)
	if err == nil {
		_, err = translating.Step(2, 2)
	}
	if err != nil {
		t.Fatal(err)
	}
	kept := newModel(t, sessionModels["plain"]).NewBatch(2) // on the host
	var file bytes.Buffer
	if err := errors.Join(kept.Prefill(text(1, 2*9, vocab)), kept.Save(&file)); err != nil {
		t.Fatal(err)
	}
	s, o := begin(), begin()
	calls := map[string]func() error{
		"Reorder":            func() error { return s.Reorder(0, 0, 1) },
		"Join":               func() error { _, err := mega.Join(s, o); return err },
		"Features":           func() error { _, err := o.Features(text(2, 2*400, vocab)); return err },
		"LoadSession":        func() error { _, err := m.LoadSession(bytes.NewReader(file.Bytes())); return err },
		"translator Reorder": func() error { return translating.Reorder(0, 0, 1) },
	}
	on.now = true
	for name, call := range calls {
		if err := call(); !errors.Is(err, errBroken) {
			t.Errorf("%s: %v, want %v", name, err, errBroken)
		}
	}
	on.now = false
	if err := calls["LoadSession"](); err != nil {
		t.Error(err)
	}
}
