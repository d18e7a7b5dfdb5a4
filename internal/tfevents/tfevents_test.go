package tfevents

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// The reader below is written from the public definitions alone: it computes
// checksums bit by bit and takes messages apart without the writer's code.

// crc32c is CRC-32C by its polynomial, 0x1EDC6F41 with the bits turned round.
func crc32c(data []byte) uint32 {
	crc := ^uint32(0)
	for _, b := range data {
		crc ^= uint32(b)
		for range 8 {
			crc = crc>>1 ^ 0x82f63b78*(crc&1)
		}
	}
	return ^crc
}

// mask is masked_crc of TensorFlow's format of records.
func mask(crc uint32) uint32 { return ((crc >> 15) | (crc << 17)) + 0xa282ead8 }

// readRecords returns the contents of a file of TFRecords:
//
//	uint64 length; uint32 masked_crc32_of_length; byte data[length]; uint32 masked_crc32_of_data
func readRecords(t *testing.T, file []byte) (all [][]byte) {
	t.Helper()
	for len(file) > 0 {
		n := binary.LittleEndian.Uint64(file)
		if got, want := binary.LittleEndian.Uint32(file[8:]), mask(crc32c(file[:8])); got != want {
			t.Fatalf("checksum of a length: %08x, want %08x", got, want)
		}
		data := file[12 : 12+n]
		if got, want := binary.LittleEndian.Uint32(file[12+n:]), mask(crc32c(data)); got != want {
			t.Fatalf("checksum of data: %08x, want %08x", got, want)
		}
		all, file = append(all, data), file[16+n:]
	}
	return all
}

// A field is one of a message: a number for varint, double and float, else bytes.
type field struct {
	number, wire int
	value        uint64
	bytes        []byte
}

func fields(t *testing.T, b []byte) (all []field) {
	t.Helper()
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		f := field{number: int(key >> 3), wire: int(key & 7)}
		b = b[n:]
		size := 0
		switch f.wire {
		case 0:
			f.value, size = binary.Uvarint(b)
		case 1:
			f.value, size = binary.LittleEndian.Uint64(b), 8
		case 5:
			f.value, size = uint64(binary.LittleEndian.Uint32(b)), 4
		case 2:
			length, n := binary.Uvarint(b)
			f.bytes, size = b[n:n+int(length)], n+int(length)
		default:
			t.Fatalf("wire type %d", f.wire)
		}
		all, b = append(all, f), b[size:]
	}
	return all
}

// describe writes an event as text: the wall time is checked and left out.
func describe(t *testing.T, event []byte) string {
	t.Helper()
	text := ""
	for _, f := range fields(t, event) {
		switch [2]int{f.number, f.wire} {
		case [2]int{1, 1}: // double wall_time
			if age := float64(time.Now().UnixNano())/1e9 - math.Float64frombits(f.value); age < 0 || age > 60 {
				t.Errorf("an event is %g s old", age)
			}
		case [2]int{2, 0}: // int64 step
			text += fmt.Sprintf("step %d ", f.value)
		case [2]int{3, 2}: // string file_version
			text += fmt.Sprintf("version %s ", f.bytes)
		case [2]int{7, 2}: // SessionLog session_log: enum status = 1
			text += fmt.Sprintf("session %v ", fields(t, f.bytes))
		case [2]int{5, 2}: // Summary summary: repeated Value value = 1
			for _, v := range fields(t, f.bytes) {
				text += describeValue(t, v)
			}
		default:
			t.Errorf("field %d of wire type %d in an event", f.number, f.wire)
		}
	}
	return text
}

// describeValue writes a Summary.Value: tag = 1, simple_value = 2, histo = 5.
func describeValue(t *testing.T, v field) (text string) {
	t.Helper()
	if v.number != 1 || v.wire != 2 {
		t.Fatalf("field %d of wire type %d in a summary", v.number, v.wire)
	}
	for _, f := range fields(t, v.bytes) {
		switch [2]int{f.number, f.wire} {
		case [2]int{1, 2}:
			text += string(f.bytes)
		case [2]int{2, 5}:
			text += fmt.Sprintf("=%v ", math.Float32frombits(uint32(f.value)))
		case [2]int{5, 2}:
			text += "=histogram "
		default:
			t.Errorf("field %d of wire type %d in a value", f.number, f.wire)
		}
	}
	return text
}

// readDir returns the events of the files of a directory in TensorBoard's order.
func readDir(t *testing.T, dir string) (events [][]byte, files int) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, readRecords(t, data)...)
	}
	return events, len(paths)
}

func TestChecksum(t *testing.T) {
	if got := crc32c([]byte("123456789")); got != 0xe3069283 { // the check value of CRC-32C
		t.Fatalf("the reader's checksum is %08x", got)
	}
	// What every event file of TensorFlow begins with: the frame of 24 bytes.
	if got := hex.EncodeToString(record(make([]byte, 24))[:12]); got != "1800000000000000a37f4b22" {
		t.Errorf("got %s", got)
	}
}

func TestEvents(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log", "valid")
	write := func(from int, steps ...int) {
		w, err := New(dir, from)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range steps {
			if err := w.Scalars(step, map[string]float64{"loss": 1.5, "gnorm": math.Inf(1), "accuracy": 0}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(0, 100, 200)
	write(150, 300) // a run that goes on from a checkpoint
	events, files := readDir(t, dir)
	if files != 2 {
		t.Errorf("%d files, want one a session", files)
	}
	if n := len(events[0]); n != 24 {
		t.Errorf("the first event has %d bytes, TensorFlow's 24", n)
	}
	for i, want := range []string{
		"version brain.Event:2 ", "step 100 accuracy=0 gnorm=+Inf loss=1.5 ", "step 200 accuracy=0 gnorm=+Inf loss=1.5 ",
		"version brain.Event:2 ", "step 151 session [{1 0 1 []}] ", "step 300 accuracy=0 gnorm=+Inf loss=1.5 ",
	} {
		if got := describe(t, events[i]); got != want {
			t.Errorf("event %d is %q, want %q", i, got, want)
		}
	}
}

func TestHistogram(t *testing.T) {
	dir := t.TempDir()
	w, err := New(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, values := range [][]float64{{3, -1, 3, 2.99, math.NaN(), math.Inf(1)}, {7}, {math.NaN()}} {
		if err := w.Histogram(5, "half-lives", values); err != nil {
			t.Fatal(err)
		}
	}
	events, _ := readDir(t, dir)
	if len(events) != 3 {
		t.Fatalf("%d events, want 3: nothing of NaN alone", len(events))
	}
	if got := describe(t, events[1]); got != "step 5 half-lives=histogram " {
		t.Errorf("got %q", got)
	}
	for i, want := range []string{"[-1 3 4 7.99 27.9401] first 1 last 3 of 64", "[7 7 1 7 49] first 1 last 0 of 64"} {
		value := fields(t, fields(t, fields(t, events[i+1])[2].bytes)[0].bytes)[1]
		if got := describeHistogram(t, value.bytes); got != want {
			t.Errorf("histogram %d is %s, want %s", i, got, want)
		}
	}
}

// describeHistogram writes a HistogramProto: min, max, num, sum, sum_squares, and
// the counts of its first and last bucket.
func describeHistogram(t *testing.T, b []byte) string {
	t.Helper()
	var numbers, limits, counts []float64
	for _, f := range fields(t, b) {
		switch {
		case f.number <= 5 && f.wire == 1 && f.number == len(numbers)+1:
			numbers = append(numbers, math.Float64frombits(f.value))
		case f.number == 6 && f.wire == 2:
			limits = packed(t, f.bytes)
		case f.number == 7 && f.wire == 2:
			counts = packed(t, f.bytes)
		default:
			t.Errorf("field %d of wire type %d in a histogram", f.number, f.wire)
		}
	}
	last := len(limits) - 1
	if len(counts) != len(limits) || !slices.IsSorted(limits) || limits[last] != numbers[1] {
		t.Errorf("%d counts for limits %v", len(counts), limits)
	}
	return fmt.Sprintf("%.6v first %v last %v of %d", numbers, counts[0], counts[last], len(counts))
}

func packed(t *testing.T, b []byte) []float64 {
	t.Helper()
	out := make([]float64, len(b)/8)
	if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, out); err != nil {
		t.Fatal(err)
	}
	return out
}
