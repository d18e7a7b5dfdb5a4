package parquet

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// wantRow is row i of the fixtures, as _fixtures/main.go writes it.
func wantRow(i int) []string {
	color, y, age := "-", "-", "-"
	if i%5 > 0 {
		color = []string{"red", "green", "blue"}[i%3]
		y = fmt.Sprint(-float64(i) / 8)
		age = fmt.Sprint(i)
	}
	values, words := []string{}, []string{}
	for k := range i % 4 {
		values = append(values, fmt.Sprint(float32(i)+float32(k)/2))
		words = append(words, fmt.Sprintf(`"w\"%d"`, k))
	}
	price := fmt.Sprintf("%.2f", float64(i*7-20)/100)
	return []string{fmt.Sprint(i - 3), fmt.Sprint(i * i * 1e9), fmt.Sprintf("text %d", i), fmt.Sprintf("é %d", i), color, fmt.Sprint(i%3 == 1),
		fmt.Sprint(float32(i) / 4), y, fmt.Sprint(uint32(i) - 1), time.UnixMicro(int64(i) * 3_600_000_001).UTC().Format("2006-01-02T15:04:05.999999Z07:00"),
		price, base64.StdEncoding.EncodeToString([]byte{byte(i), 0xff}), "[" + strings.Join(values, ", ") + "]", "[" + strings.Join(words, ", ") + "]",
		fmt.Sprint("u", i%2), age}
}

// TestFixtures: every type, encoding, codec and kind of page, with pages that begin
// anywhere and several row groups.
func TestFixtures(t *testing.T) {
	for _, name := range []string{"plain", "snappy", "gzip", "zstd", "lz4"} {
		data, err := os.ReadFile("testdata/" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		f, err := NewFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(name, err)
		}
		if got := strings.Join(f.Columns, " ") + " | " + strings.Join(f.Left, " "); got != "id big text plain color flag x y u when price data values words user.name user.age | deep.a" {
			t.Errorf("%s: columns %s", name, got)
		}
		for i := range 30 {
			cells, err := f.Next()
			if err != nil {
				t.Fatal(name, i, err)
			}
			for k, want := range wantRow(i) {
				got := string(cells[k])
				if cells[k] == nil {
					got = "-"
				}
				if got != want {
					t.Errorf("%s: row %d, column %s: %s, want %s", name, i, f.Columns[k], got, want)
				}
			}
		}
		if _, err := f.Next(); err != io.EOF {
			t.Errorf("%s: %v after the last row", name, err)
		}
	}
}

// readAll reads a file to its end and returns the rows and the error.
func readAll(data []byte) (int, error) {
	f, err := NewFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return 0, err
	}
	for n := 0; ; n++ {
		_, err := f.Next()
		if err == io.EOF {
			return n, nil
		}
		if err != nil && !errors.As(err, new(*ValueError)) {
			return n, err
		}
	}
}

// withFooter puts a footer behind nothing.
func withFooter(footer string) []byte {
	data := append([]byte(magic), footer...)
	return append(binary.LittleEndian.AppendUint32(data, uint32(len(footer))), magic...)
}

// TestErrors: files that are none, and those that claim what they do not have.
func TestErrors(t *testing.T) {
	brotli, err := os.ReadFile("testdata/brotli.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, data, want string }{
		{"nothing", "", "not a Parquet file: it has 0 bytes"},
		{"a zip", "PK\x03\x04 and some more", `not a Parquet file: it begins with "PK\x03\x04", want "PAR1"`},
		{"encrypted", "PARE        PARE", "the Parquet file is encrypted, want one that is not"},
		{"cut off", "PAR1 and some more", `the Parquet file is cut off: it ends with "more", want "PAR1"`},
		{"a footer of more than the file", "PAR1\xff\xff\xff\x7fPAR1", "the footer has 2147483647 bytes, and the file 12 in all"},
		{"no footer", "PAR1\x00\x00\x00\x00PAR1", "the footer: it is cut off"},
		{"no schema", string(withFooter("\x00")), "the footer has no schema"},
		{"two thousand million columns", string(withFooter("\x29\xfc\xff\xff\xff\xff\x07")), "the footer: it is cut off"},
		{"deep", string(withFooter(strings.Repeat("\x9c\x1c", 100))), "the footer: structures are nested too deeply"},
		{"Brotli", string(brotli), "row 1: column id: a page: packed by Brotli, which is not read: want snappy, gzip, zstd, lz4_raw or none"},
	} {
		if _, err := readAll([]byte(test.data)); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
}

// TestBroken: whatever happens to a file, reading it ends, without a panic and in
// memory that is bounded.
func TestBroken(t *testing.T) {
	files, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var before, after runtime.MemStats
	for _, file := range files {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 200 {
			data := slices.Clone(whole)
			if i%8 == 0 {
				data = data[:r.IntN(len(data))]
				data = append(data, whole[len(whole)-8:]...)
			}
			for range 1 + r.IntN(3) {
				data[r.IntN(len(data))] = byte(r.Uint32())
			}
			runtime.ReadMemStats(&before)
			readAll(data)
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 3*maxPage {
				t.Errorf("%s, change %d: %d MB", file, i, got>>20)
			}
		}
	}
}

// TestDeltasClaim: numbers without bits are as many as a block says, and no more.
func TestDeltasClaim(t *testing.T) {
	head := binary.AppendUvarint(nil, 128)
	head = binary.AppendUvarint(head, 4)
	head = binary.AppendUvarint(head, 1<<62)         // numbers
	head = append(head, 10)                          // the first: 5
	d, err := newDeltas(append(head, 2, 0, 0, 0, 0)) // a block of differences of 1
	if err != nil {
		t.Fatal(err)
	}
	for want := range int64(129) {
		if x, err := d.next(); x != 5+want || err != nil {
			t.Fatal(x, err, want)
		}
	}
	if _, err := d.next(); err != errShort {
		t.Error(err)
	}
	for _, bad := range []string{"", "\x00\x00\x00\x00", "\x80\x01\x00\x01\x00", "\x80\x80\x80\x01\x01\x01\x00", "\x81\x01\x04\x01\x00"} {
		if _, err := newDeltas([]byte(bad)); err == nil {
			t.Errorf("%q", bad)
		}
	}
}

// TestMeanings: values of the types that stand for others.
func TestMeanings(t *testing.T) {
	le := binary.LittleEndian
	for _, test := range []struct {
		kind    int
		meaning meaning
		raw     []byte
		want    string
	}{
		{int32s, meaning{kind: date}, le.AppendUint32(nil, 19723), `"2024-01-01"`},
		{int32s, meaning{kind: clock, unit: time.Millisecond}, le.AppendUint32(nil, 3661005), `"01:01:01.005"`},
		{int64s, meaning{kind: timestamp, unit: time.Nanosecond, local: true}, le.AppendUint64(nil, 1e18+5), `"2001-09-09T01:46:40.000000005"`},
		{int64s, meaning{kind: timestamp, unit: time.Millisecond}, le.AppendUint64(nil, ^uint64(0)), `"1969-12-31T23:59:59.999Z"`},
		{int96s, meaning{}, append(le.AppendUint64(nil, 1e9), le.AppendUint32(nil, 2440589)...), `"1970-01-02T00:00:01"`},
		{int64s, meaning{kind: unsigned}, le.AppendUint64(nil, ^uint64(0)), "18446744073709551615"},
		{int32s, meaning{kind: decimal, scale: 3}, le.AppendUint32(nil, ^uint32(4)), "-0.005"},
		{byteArrays, meaning{kind: decimal, scale: 1}, []byte{0xff, 0x00}, "-25.6"},
		{byteArrays, meaning{kind: decimal}, nil, "0"},
		{fixedArrays, meaning{kind: uuid}, []byte("0123456789abcdef"), `"30313233-3435-3637-3839-616263646566"`},
		{fixedArrays, meaning{kind: float16}, []byte{0, 0x3c}, "1"},
		{byteArrays, meaning{}, []byte("é\n"), `"é\n"`},
		{byteArrays, meaning{}, []byte("\xff"), `"/w=="`},
		{boolean, meaning{}, []byte{1}, "true"},
	} {
		l := &leaf{element: element{kind: test.kind, meaning: test.meaning}}
		if got, err := l.appendJSON(nil, test.raw); string(got) != test.want || err != nil {
			t.Errorf("%d %+v: %s, %v, want %s", test.kind, test.meaning, got, err, test.want)
		}
	}
	l := &leaf{element: element{kind: byteArrays, meaning: meaning{kind: text}}}
	if _, err := l.appendText(nil, []byte("\xff")); err != errNotUTF8 {
		t.Error(err)
	}
}

func FuzzFile(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.parquet")
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := NewFile(bytes.NewReader(data), int64(len(data)))
		for i := 0; err == nil && i < 1000; i++ {
			_, err = file.Next()
		}
	})
}
