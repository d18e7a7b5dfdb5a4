package torchfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkOpened walks what a fuzzed file holds, saves it and reads it again.
func checkOpened(t *testing.T, f *File) {
	want := describe(f.Root())
	var buf strings.Builder
	if err := Encode(&buf, f.Root()); err != nil {
		if strings.Contains(err.Error(), "torch has no storage of") || strings.Contains(err.Error(), "the file is damaged") {
			return // a NumPy array of unsigned integers; a storage that differs from its checksum
		}
		t.Fatalf("what was read cannot be written: %v", err)
	}
	again, err := Parse([]byte(buf.String()))
	if err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	if got := describe(again.Root()); got != want {
		t.Fatalf("read\n%s, want\n%s", got, want)
	}
}

// pickleSeeds are operations that between them use every opcode and class.
var pickleSeeds = []string{
	"N", "(K\x01M\x01\x02J\xff\xff\xff\xff\x88\x89Nt", "\x8a\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01", "\x8b\x01\x00\x00\x00\xff",
	"G?\xf8\x00\x00\x00\x00\x00\x00", "(\x8c\x01aU\x01bT\x01\x00\x00\x00\xffC\x01cB\x01\x00\x00\x00dt",
	"\x95\x07\x00\x00\x00\x00\x00\x00\x00](K\x01Ne", "]q\x00K\x01ah\x00\x86", "]r\x00\x01\x00\x00j\x00\x01\x00\x00\x86",
	"}(X\x01\x00\x00\x00aK\x01K\x02NuK\x03Ns", "(\x8f(K\x01\x90(K\x02\x91t", "c__builtin__\nset\n]K\x01a\x85R",
	"cargparse\nNamespace\n)\x81}X\x01\x00\x00\x00aNsb", "cfairseq.meters\nTimeMeter\n)\x81}b",
	"ccollections\nOrderedDict\n)R}X\x01\x00\x00\x00aNsb", "ccollections\nOrderedDict\n](K\x01N\x86e\x85R",
	"\x8c\x05torch\x94\x8c\x04Size\x93)\x85R", "ctorch\nfloat16\n", "ctorch\ndevice\nX\x04\x00\x00\x00cudaK\x01\x86R",
	"c_codecs\nencode\nX\x02\x00\x00\x00\xc3\xbfX\x06\x00\x00\x00latin1\x86R",
	"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\x00\x00\x00f4\x89\x88\x87R(K\x03X\x01\x00\x00\x00<NNNtbC\x04\x00\x00\x80?\x86R",
	"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01K\x01\x85cnumpy\ndtype\nX\x02\x00\x00\x00i2\x89\x88\x87R\x89C\x02\x01\x00tb",
	rebuild(storage("0", 4), 1, []int64{3}, []int64{1}),
	"ctorch._utils\n_rebuild_parameter\n" + rebuild(storage("0", 4), 0, []int64{2, 2}, []int64{1, 2}) + "\x88" + hooks + "\x87R",
}

// fuzzStorage is the content of storage 0 of the fuzzed pickles.
const fuzzStorage = "\x00\x00\x80?\x00\x00\x00@\x00\x00@@\x00\x00\x80@"

func TestPickleSeedsOpen(t *testing.T) {
	for _, seed := range pickleSeeds {
		file, err := Parse(archive(proto(seed), "data/0", fuzzStorage))
		if err != nil {
			t.Errorf("%q: %v", seed, err)
			continue
		}
		checkOpened(t, file)
	}
}

func FuzzPickle(f *testing.F) {
	for _, seed := range pickleSeeds {
		f.Add([]byte(proto(seed)))
	}
	f.Fuzz(func(t *testing.T, pkl []byte) {
		if file, err := Parse(archive(string(pkl), "data/0", fuzzStorage)); err == nil {
			checkOpened(t, file)
		}
	})
}

func fuzzFile(f *testing.F, fixture string) {
	for _, data := range small(f) {
		f.Add(data)
	}
	data, err := os.ReadFile(filepath.Join("testdata", fixture))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if file, err := Parse(data); err == nil {
			checkOpened(t, file)
		}
	})
}

func FuzzArchive(f *testing.F) { fuzzFile(f, "values.pt") }

func FuzzLegacy(f *testing.F) { fuzzFile(f, "values_legacy.pt") }
