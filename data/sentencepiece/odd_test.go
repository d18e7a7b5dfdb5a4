package sentencepiece

import (
	"archive/zip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
	"testing"
)

// TestOddLines compares with the original library's encodings of 3,000 lines
// that are as odd as can be: several scripts, NUL bytes, text that is not UTF-8,
// spaces of all kinds, the names of control symbols. testdata/odd.zip holds the
// lines, models that the original library trained with various options, and for
// each a NAME.crc: the low 16 bits of the CRC-32 of the ids of every line. The
// rules of normalisation, which are large, stand apart: NAME.uses names them.
func TestOddLines(t *testing.T) {
	files := unzip(t, "testdata/odd.zip")
	in := strings.Split(strings.TrimSuffix(string(files["lines.txt"]), "\n"), "\n")
	models := 0
	for name, b := range files {
		name, ok := strings.CutSuffix(name, ".model")
		if !ok {
			continue
		}
		models++
		if rules, ok := files[name+".uses"]; ok {
			b = message(b).bytes(3, message(nil).bytes(2, files[string(rules)]))
		}
		t.Run(name, func(t *testing.T) { sameIDs(t, b, in, files[name+".crc"]) })
	}
	if models < 10 || len(in) < 3000 {
		t.Errorf("%d models, %d lines", models, len(in))
	}
}

// sameIDs checks the checksums of the ids of lines.
func sameIDs(t *testing.T, model []byte, in []string, want []byte) {
	m, err := Parse(model, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	if len(want) != 2*len(in) {
		t.Fatalf("%d bytes of checksums for %d lines", len(want), len(in))
	}
	wrong := 0
	for i, line := range in {
		var ids []byte
		for _, id := range m.AppendIDs(nil, line) {
			ids = binary.LittleEndian.AppendUint32(ids, uint32(id))
		}
		if uint16(crc32.ChecksumIEEE(ids)) == binary.LittleEndian.Uint16(want[2*i:]) {
			continue
		}
		if wrong++; wrong < 4 {
			t.Errorf("line %d, %q: %q", i+1, line, m.Pieces(line))
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d lines are wrong", wrong, len(in))
	}
}

func unzip(t *testing.T, path string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	return files
}
