// Package tfevents writes the event files that TensorBoard reads: TFRecords of
// TensorFlow's Event messages (tensorflow/core/util/event.proto,
// tensorflow/core/framework/summary.proto), as torch's SummaryWriter does. It
// writes the few fields that scalars and histograms need, and reads nothing.
package tfevents

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A Writer appends to one event file.
type Writer struct{ file *os.File }

// New makes an event file in dir, beside those of earlier sessions. A session that
// begins after step from > 0 tells TensorBoard to forget what earlier files say of
// later steps.
func New(dir string, from int) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	file, err := create(dir)
	if err != nil {
		return nil, err
	}
	w := &Writer{file}
	err = w.event(0, text(nil, eventVersion, "brain.Event:2"))
	if err == nil && from > 0 {
		err = w.event(from+1, message(nil, eventSession, varint(nil, sessionStatus, sessionStart)))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return w, nil
}

// create makes a file whose name sorts after those of earlier sessions.
func create(dir string) (*os.File, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	for n := 0; ; n++ {
		name := fmt.Sprintf("events.out.tfevents.%010d.%s.%d.%d", time.Now().Unix(), host, os.Getpid(), n)
		file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return file, err
		}
	}
}

// Close closes the file.
func (w *Writer) Close() error { return w.file.Close() }

// Scalars writes numbers by name.
func (w *Writer) Scalars(step int, values map[string]float64) error {
	var summary []byte
	for _, tag := range slices.Sorted(maps.Keys(values)) {
		summary = message(summary, summaryValue, float(text(nil, valueTag, tag), valueSimple, values[tag]))
	}
	return w.event(step, message(nil, eventSummary, summary))
}

// buckets is how many a histogram has.
const buckets = 64

// Histogram writes how values are spread, in buckets of one width. Those that are
// not finite are left out.
func (w *Writer) Histogram(step int, tag string, values []float64) error {
	values = slices.DeleteFunc(slices.Clone(values), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
	if len(values) == 0 {
		return nil
	}
	low, high := slices.Min(values), slices.Max(values)
	limits, counts := make([]float64, buckets), make([]float64, buckets)
	for i := range limits {
		limits[i] = low + (high-low)*float64(i+1)/buckets
	}
	limits[buckets-1] = high
	sum, squares := 0.0, 0.0
	for _, x := range values {
		i, _ := slices.BinarySearch(limits, x) // the first limit that is not below x
		counts[i]++
		sum += x
		squares += x * x
	}
	var histogram []byte
	for i, x := range []float64{low, high, float64(len(values)), sum, squares} {
		histogram = double(histogram, histogramMin+i, x)
	}
	histogram = doubles(doubles(histogram, histogramLimits, limits), histogramCounts, counts)
	value := message(text(nil, valueTag, tag), valueHistogram, histogram)
	return w.event(step, message(nil, eventSummary, message(nil, summaryValue, value)))
}

// event writes an event with the given fields in one piece, so that a reader finds
// whole records.
func (w *Writer) event(step int, fields []byte) error {
	event := double(nil, eventTime, float64(time.Now().UnixMicro())/1e6)
	if step != 0 { // as protocol buffers leave out what is zero
		event = varint(event, eventStep, uint64(step))
	}
	_, err := w.file.Write(record(append(event, fields...)))
	return err
}

// record frames data as a TFRecord (tensorflow/core/lib/io/record_writer.h): its
// length and its bytes, each with a checksum behind.
func record(data []byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	out = binary.LittleEndian.AppendUint32(out, masked(out))
	out = append(out, data...)
	return binary.LittleEndian.AppendUint32(out, masked(data))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked returns the CRC-32C of data, turned and shifted, so that data with
// checksums in it can be checked well (tensorflow/core/lib/hash/crc32c.h).
func masked(data []byte) uint32 {
	crc := crc32.Checksum(data, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}
