package main

import (
	"archive/zip"
	"bytes"
	"io"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
)

// A mutation makes another file of one. It gets the bytes of the file, which it
// may change in place.
type mutation struct {
	name string
	make func(r *rand.Rand, data []byte) []byte
}

// mutations are what happens to files on the way, and what somebody does to them
// who wants to break their reader.
var mutations = []mutation{
	{"bits", flipBits},
	{"truncated", func(r *rand.Rand, d []byte) []byte { return d[:r.IntN(len(d)+1)] }},
	{"inflated binary number", inflateBinary},
	{"inflated decimal number", inflateDecimal},
	{"duplicated section", duplicateSection},
	{"removed section", removeSection},
	{"zeros", func(r *rand.Rand, d []byte) []byte { i, j := section(r, len(d)); clear(d[i:j]); return d }},
	{"noise", insertNoise},
	{"nesting", nest},
}

// zipMutations are what can happen within an archive beside.
var zipMutations = []mutation{{"zip entry", mutateEntry}, {"zip name", climb}}

// section chooses a part of n bytes, half of the time a short one.
func section(r *rand.Rand, n int) (begin, end int) {
	begin = r.IntN(n + 1)
	length := n - begin
	if r.IntN(2) == 0 {
		length = min(length, 64)
	}
	return begin, begin + r.IntN(length+1)
}

func flipBits(r *rand.Rand, d []byte) []byte {
	for range 1 + r.IntN(4) {
		if len(d) > 0 {
			i := r.IntN(len(d))
			if r.IntN(2) == 0 { // most headers are at the beginning
				i = r.IntN(min(len(d), 256))
			}
			d[i] ^= 1 << r.IntN(8)
		}
	}
	return d
}

// edges are numbers near the edges of the types that formats have.
var edges = []string{
	"9223372036854775807", "-9223372036854775808", "4611686018427387904", "18446744073709551616", "4294967296", "4294967295",
	"2147483648", "2147483647", "268435456", "65536", "-1", "0", "1e308", "1e999", "NaN", "1.5",
}

func inflateBinary(r *rand.Rand, d []byte) []byte {
	if len(d) == 0 {
		return d
	}
	i := r.IntN(len(d))
	if r.IntN(2) == 0 {
		i = r.IntN(min(len(d), 256))
	}
	v, _ := strconv.ParseUint(edges[r.IntN(9)], 10, 64)
	for j := range min([]int{2, 4, 8}[r.IntN(3)], len(d)-i) {
		d[i+j] = byte(v >> (8 * j))
	}
	return d
}

var decimal = regexp.MustCompile(`\d+`)

func inflateDecimal(r *rand.Rand, d []byte) []byte {
	places := decimal.FindAllIndex(d[:min(len(d), 1<<16)], 2000)
	if len(places) == 0 {
		return inflateBinary(r, d)
	}
	p := places[r.IntN(len(places))]
	return splice(d, p[0], p[1], []byte(edges[r.IntN(len(edges))]))
}

func duplicateSection(r *rand.Rand, d []byte) []byte {
	i, j := section(r, len(d))
	return splice(d, j, j, bytes.Repeat(d[i:j], 1+r.IntN(3)))
}

func removeSection(r *rand.Rand, d []byte) []byte {
	i, j := section(r, len(d))
	return splice(d, i, j, nil)
}

func insertNoise(r *rand.Rand, d []byte) []byte {
	noise := make([]byte, 1+r.IntN(40))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	i, _ := section(r, len(d))
	return splice(d, i, i, noise)
}

// nest puts many opening marks of JSON, of ListOps or of a pickle into a file.
func nest(r *rand.Rand, d []byte) []byte {
	marks := []string{"[", `{"a":`, "( ", "[MAX ", "(", "]", "}", "\x1b[31m", "\r", "\x00", "\n", "\t"}
	i, j := section(r, len(d))
	return splice(d, i, j, []byte(strings.Repeat(marks[r.IntN(len(marks))], 1+r.IntN(20000))))
}

func splice(d []byte, begin, end int, middle []byte) []byte {
	return bytes.Join([][]byte{d[:begin], middle, d[end:]}, nil)
}

// mutateEntry changes what is in a zip archive and makes its checksum right.
func mutateEntry(r *rand.Rand, d []byte) []byte {
	return rezip(r, d, func(name string, data []byte) (string, []byte) {
		return name, mutations[r.IntN(len(mutations))].make(r, data)
	})
}

// climb gives an entry of a zip archive a name that leads out of where it is
// unpacked, or that another has.
func climb(r *rand.Rand, d []byte) []byte {
	return rezip(r, d, func(name string, data []byte) (string, []byte) {
		names := []string{"../" + name, "/etc/passwd", name + "/..", "", "archive/data.pkl", strings.Repeat("a/", 3000) + "x", "\x1b[2J", "."}
		return names[r.IntN(len(names))], data
	})
}

// rezip writes an archive anew with one entry changed. Small entries, which hold
// structure, are chosen more often than large ones, which hold numbers.
func rezip(r *rand.Rand, d []byte, change func(string, []byte) (string, []byte)) []byte {
	in, err := zip.NewReader(bytes.NewReader(d), int64(len(d)))
	if err != nil || len(in.File) == 0 {
		return insertNoise(r, d)
	}
	chosen := r.IntN(len(in.File))
	for i, f := range in.File {
		if strings.HasSuffix(f.Name, ".pkl") && r.IntN(4) > 0 {
			chosen = i
		}
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for i, f := range in.File {
		name, data := f.Name, entry(f)
		if i == chosen {
			name, data = change(name, data)
		}
		if w, err := out.CreateHeader(&zip.FileHeader{Name: name, Method: f.Method}); err == nil {
			w.Write(data)
		}
	}
	out.Close()
	return b.Bytes()
}

func entry(f *zip.File) []byte {
	r, err := f.Open()
	if err != nil {
		return nil
	}
	defer r.Close()
	data, _ := io.ReadAll(r)
	return data
}
