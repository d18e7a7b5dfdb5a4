package checkpoint

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// A member is a file of a test's archive.
type member struct {
	name    string
	method  uint16
	content []byte
}

func zipOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, m := range members {
		f, err := w.CreateHeader(&zip.FileHeader{Name: m.name, Method: m.method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(m.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func writeTest(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func readTest(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// release is an archive like those that the reference publishes: checkpoints in
// folders, stored and deflated, among logs and scripts.
func release(t testing.TB) string {
	text, speech := torchFile("lra_text_legacy.pt"), torchFile("speech_commands.pt")
	weights, args := filepath.Join(goldenDir("lra_listops"), ModelFile), filepath.Join(goldenDir("lra_listops"), ArgsFile)
	return writeTest(t, "mega.zip", zipOf(t,
		member{"mega/README.md", zip.Deflate, []byte("text")},
		member{"mega/text/checkpoint_best.pt", zip.Deflate, readTest(t, text)},
		member{"mega/text/train.log", zip.Deflate, []byte("log")},
		member{"mega/speech/checkpoint_best.pt", zip.Store, readTest(t, speech)},
		member{"mega/listops/" + ModelFile, zip.Deflate, readTest(t, weights)},
		member{"mega/listops/" + ArgsFile, zip.Deflate, readTest(t, args)},
		member{"__MACOSX/mega/text/._checkpoint_best.pt", zip.Store, []byte("x")},
	))
}

func TestArchiveIsOpenedInPlace(t *testing.T) {
	path := release(t)
	names, err := List(path)
	want := []string{"mega/listops", "mega/speech/checkpoint_best.pt", "mega/text/checkpoint_best.pt"}
	if err != nil || !slices.Equal(names, want) {
		t.Fatalf("it lists %q, %v, want %q", names, err, want)
	}
	for name, same := range map[string]string{
		"mega/listops":                 goldenDir("lra_listops"),
		"listops":                      goldenDir("lra_listops"),
		"listops/":                     goldenDir("lra_listops"),
		"mega/text/checkpoint_best.pt": goldenDir("lra_text"),
		"text/checkpoint_best.pt":      goldenDir("lra_text"),
		`speech\checkpoint_best.pt`:    goldenDir("speech_commands"),
		"./speech/checkpoint_best.pt":  goldenDir("speech_commands"),
		"mega/speech/../speech/../text/checkpoint_best.pt": goldenDir("lra_text"),
	} {
		got, want := numbersIn(t, path+":"+name), numbersIn(t, same)
		for parameter, numbers := range want {
			if !slices.Equal(got[parameter], numbers) {
				t.Errorf("%s: other numbers in %s", name, parameter)
			}
		}
	}
	before := readTest(t, path)
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("something was unpacked beside the archive: %v, %v", entries, err)
	}
	if !bytes.Equal(before, readTest(t, path)) {
		t.Error("the archive was changed")
	}
}

func TestArchiveOfOneNeedsNoName(t *testing.T) {
	path := writeTest(t, "one.zip", zipOf(t, member{"a/model.pt", zip.Store, readTest(t, torchFile("speech_commands.pt"))}))
	if c := openTest(t, path); c.Task != Classification || c.Path != path+":a/model.pt" {
		t.Errorf("opened %s, of a %s model", c.Path, c.Task)
	}
}

func TestArchiveErrors(t *testing.T) {
	path := release(t)
	wantError(t, path, "holds 3 checkpoints; choose one as "+path+":NAME from mega/listops, mega/speech/checkpoint_best.pt, ")
	wantError(t, path+":checkpoint_best.pt", `"checkpoint_best.pt" may be mega/speech/checkpoint_best.pt or mega/text/checkpoint_best.pt`)
	wantError(t, path+":mega/test/checkpoint_best.pt", `did you mean "mega/text/checkpoint_best.pt"?`)
	wantError(t, path+":pathfinder", "it has mega/listops")
	wantError(t, filepath.Join(t.TempDir(), "absent.zip")+":x", "no such file")

	pt := readTest(t, torchFile("speech_commands.pt"))
	inner := zipOf(t, member{"m.pt", zip.Store, pt})
	for want, content := range map[string][]byte{
		"holds no checkpoint":              zipOf(t, member{"README.md", zip.Store, []byte("x")}),
		"holds no checkpoint (":            zipOf(t),
		"which is no path inside it":       zipOf(t, member{"../../etc/cron.d/m.pt", zip.Store, pt}),
		`entry "/etc/m.pt"`:                zipOf(t, member{"/etc/m.pt", zip.Store, pt}),
		"twice":                            zipOf(t, member{"m.pt", zip.Store, pt}, member{"m.pt", zip.Store, pt}),
		"not a file of torch.save":         zipOf(t, member{"m.pt", zip.Deflate, []byte("hello, world")}),
		"an archive in an archive":         zipOf(t, member{"m.pt", zip.Store, inner}),
		"an archive in an archive: unpack": zipOf(t, member{"m.pt", zip.Deflate, inner}),
		"is it truncated?":                 inner[:len(inner)/2],
	} {
		wantError(t, writeTest(t, "a.zip", content), want)
	}
}

// TestArchivesCutAnywhere opens an archive cut at every byte: always an error.
func TestArchivesCutAnywhere(t *testing.T) {
	content := zipOf(t, member{"m/" + ModelFile, zip.Deflate, []byte("tensors")}, member{"m/" + ArgsFile, zip.Store, []byte("{}")})
	dir := t.TempDir()
	for n := range content {
		path := filepath.Join(dir, "a.zip")
		if err := os.WriteFile(path, content[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Open(path); err == nil {
			c.Close()
			t.Fatalf("cut to %d of %d bytes it opens", n, len(content))
		}
	}
}

// TestArchiveBombs opens small archives that expand to much, or list much.
func TestArchiveBombs(t *testing.T) {
	const most = 256 << 20
	zeros := func(n int) []byte { return make([]byte, n) }
	var many []member
	for i := range 10000 {
		many = append(many, member{fmt.Sprintf("folder/of/many/checkpoint%d.pt", i), zip.Store, nil})
	}
	long := strings.Repeat("x", 60000) + ".pt"
	for name, bomb := range map[string]struct {
		content []byte
		want    string
	}{
		"of 80 MB":          {zipOf(t, member{"m.pt", zip.Deflate, zeros(80 << 20)}), "more than weights can"},
		"of 20 MB":          {zipOf(t, member{"m.pt", zip.Deflate, zeros(20 << 20)}), "not a file of torch.save"},
		"a configuration":   {zipOf(t, member{ConfigFile, zip.Deflate, zeros(20 << 20)}, member{ModelFile, zip.Store, nil}), "want at most"},
		"of many names":     {zipOf(t, many...), "holds 10000 checkpoints"},
		"of two long names": {zipOf(t, member{long, zip.Store, nil}, member{"y" + long, zip.Store, nil}), "holds 2 checkpoints"},
	} {
		path := writeTest(t, "bomb.zip", bomb.content)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Open(path)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), bomb.want) || len(err.Error()) > 10000 {
			t.Errorf("%s: error %.300v, want %s", name, err, bomb.want)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > most {
			t.Errorf("%s: %d bytes of archive took %d MiB", name, len(bomb.content), used>>20)
		}
	}
}

// TestForgedSizes claims other sizes in the list of an archive than its entries
// have.
func TestForgedSizes(t *testing.T) {
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		for _, size := range []uint64{1, 1 << 20, 1 << 40} {
			var buf bytes.Buffer
			w := zip.NewWriter(&buf)
			f, err := w.CreateRaw(&zip.FileHeader{Name: "m.pt", Method: method, CompressedSize64: size, UncompressedSize64: size})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write([]byte("\x03\x00xx")); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			wantError(t, writeTest(t, "a.zip", buf.Bytes()), "a.zip:m.pt: ")
		}
	}
}
