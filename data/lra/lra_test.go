package lra

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/listops"
)

// tree writes files, given by path and content, into a directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, content := range files {
		path = filepath.Join(dir, path)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// collect returns what a sequence yields up to its error.
func collect[T any](seq iter.Seq2[T, error]) (all []T, err error) {
	for v, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

// checkText compares the splits of a directory with records.
func checkText(t *testing.T, name string, splits []data.TextSplit, err error, want map[string][]data.Record) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	for i, split := range []string{"train", "valid", "test"} {
		got, err := collect(splits[i].Records)
		for j := range got {
			file, _, _ := strings.Cut(got[j].Where, ":")
			if _, err := os.Stat(file); err != nil && name != "listops" {
				t.Errorf("%s: a record is said to be from %q: %v", name, got[j].Where, err)
			}
			got[j].Where = ""
		}
		if err != nil || splits[i].Name != split || !slices.Equal(got, want[split]) {
			t.Errorf("%s %s: %+v, %v; want %+v", name, splits[i].Name, got, err, want[split])
		}
		for range splits[i].Records { // may be left at any point
			break
		}
	}
}

func TestIMDB(t *testing.T) {
	want := func(bad, good string) map[string][]data.Record {
		held := []data.Record{{Text: "195 169", Label: bad}, {Text: "49", Label: good}}
		return map[string][]data.Record{
			"train": {{Text: "98 97 100", Label: bad}, {Text: "111 107", Label: good}, {Text: "58 41", Label: good}},
			"valid": held, "test": held,
		}
	}
	directories, err := IMDB(tree(t, map[string]string{
		"train/neg/0_1.txt": "bad", "train/pos/0_9.txt": "ok", "train/pos/1_9.txt": ":)", "train/unsup/0_0.txt": "?", "train/neg/._0_1.txt": "Mac OS X",
		"test/neg/0_1.txt": "é", "test/pos/0_1.txt": "1", "test/pos/urls.md": "no",
	}))
	checkText(t, "directories", directories, err, want("neg", "pos"))
	tsv, err := IMDB(tree(t, map[string]string{"train.tsv": "0\tbad\n1.0\tok\r\n1\t:)", "test.tsv": "0\té\n1\t1\n"}))
	checkText(t, "tsv", tsv, err, want("0", "1"))
}

func TestAAN(t *testing.T) {
	want := map[string][]data.Record{
		"train": {{Text: "97", Pair: "98 9 99", Label: "1"}},
		"valid": {{Text: "99", Pair: "100", Label: "0"}},
		"test":  {{Text: "101", Pair: "102", Label: "1"}},
	}
	lines := []string{"1.0\tP1\tP2\ta\tb\tc\n", "0.0\tP1\tP2\tc\td\n", "1.0\tP1\tP2\te\tf\n"}
	for name, files := range map[string][]string{
		"original": {"new_aan_pairs.train.tsv", "new_aan_pairs.eval.tsv", "new_aan_pairs.test.tsv"},
		"plain":    {"train.tsv", "valid.tsv", "test.tsv"},
	} {
		dir := tree(t, map[string]string{files[0]: lines[0], files[1]: lines[1], files[2]: lines[2]})
		splits, err := AAN(dir)
		checkText(t, name, splits, err, want)
	}
}

func TestListOps(t *testing.T) {
	dir := t.TempDir()
	e, err := listops.Parse("[MAX 1 [MIN 7 3 ] ]")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"basic_train.tsv", "basic_val.tsv", "basic_test.tsv"} {
		if err := listops.WriteTSV(filepath.Join(dir, name), []listops.Expression{e}); err != nil {
			t.Fatal(err)
		}
	}
	want := []data.Record{{Text: "[MAX 1 [MIN 7 3 ] ]", Label: "3"}}
	splits, err := ListOps(dir)
	checkText(t, "listops", splits, err, map[string][]data.Record{"train": want, "valid": want, "test": want})
}

func TestTextErrors(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"no train split of reviews":              {"test.tsv": "0\ta\n"},
		"no test split of reviews":               {"train.tsv": "0\ta\n", "valid.tsv": "0\ta\n"},
		"neg: no such directory with *.txt file": {"train/pos/a.txt": "a", "test.tsv": "0\ta\n"},
		"a.txt: the file is empty":               {"train/neg/a.txt": "", "test.tsv": "0\ta\n"},
		"train.tsv:2: 1 fields":                  {"train.tsv": "0\ta\nb\n", "test.tsv": "0\ta\n"},
		"train.tsv:1: 1 fields with tabs":        {"train.tsv": "\n", "test.tsv": "0\ta\n"},
	} {
		splits, err := IMDB(tree(t, files))
		if err == nil {
			_, err = collect(splits[0].Records)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	splits, err := AAN(tree(t, map[string]string{"train.tsv": "1\tx\ty\t\tb\n", "test.tsv": "1\tx\ty\ta\tb\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := collect(splits[0].Records); err == nil || !strings.HasSuffix(err.Error(), "train.tsv:1: the first text is empty") {
		t.Errorf("empty first text: %v", err)
	}
}

// cifarBatch returns n records whose planes are filled with constants.
func cifarBatch(n, first int) string {
	var b bytes.Buffer
	for i := range n {
		b.WriteByte(byte((first + i) % 10))
		for plane := range 3 {
			b.Write(bytes.Repeat([]byte{byte(50*plane + first + i)}, cifarPixels))
		}
	}
	return b.String()
}

func TestCIFAR10(t *testing.T) {
	files := map[string]string{"cifar-10-batches-bin/test_batch.bin": cifarBatch(3, 7)}
	for i := range 5 {
		files[fmt.Sprintf("cifar-10-batches-bin/data_batch_%d.bin", i+1)] = cifarBatch(2, 2*i)
	}
	splits, err := CIFAR10(tree(t, files))
	if err != nil {
		t.Fatal(err)
	}
	// torch.randperm(10) with seed 42.
	order := []int32{2, 6, 1, 8, 4, 5, 0, 9, 3, 7}
	for i, want := range [][]int32{order[:9], order[9:], {7, 8, 9}} {
		images, err := collect(splits[i].Images)
		if err != nil {
			t.Fatal(err)
		}
		var labels []int32
		for _, img := range images {
			labels = append(labels, img.Label)
		}
		if !slices.Equal(labels, want) {
			t.Errorf("%s has labels %v, want %v", splits[i].Name, labels, want)
		}
		if v := byte(images[0].Label); images[0].Pixels[5] != data.Grey(v, 50+v, 100+v) || len(images[0].Pixels) != 1024 {
			t.Errorf("%s: wrong pixels", splits[i].Name)
		}
	}
	files["cifar-10-batches-bin/data_batch_3.bin"] = "short"
	if _, err := CIFAR10(tree(t, files)); err == nil || !strings.Contains(err.Error(), "data_batch_3.bin: 5 bytes, want a multiple of 3073") {
		t.Errorf("cut off batch: %v", err)
	}
	files["cifar-10-batches-bin/data_batch_3.bin"] = "\x0a" + strings.Repeat("x", 3072)
	if _, err := CIFAR10(tree(t, files)); err == nil || !strings.Contains(err.Error(), "data_batch_3.bin: image 0: label 10, want 0 to 9") {
		t.Errorf("wrong label: %v", err)
	}
}

func TestGrey(t *testing.T) {
	// ITU-R 601: 0.299 R + 0.587 G + 0.114 B.
	for c, want := range map[[3]byte]byte{{255, 0, 0}: 76, {0, 255, 0}: 150, {0, 0, 255}: 29, {255, 255, 255}: 255, {10, 10, 10}: 10} {
		if got := data.Grey(c[0], c[1], c[2]); got != want {
			t.Errorf("grey of %v is %d, want %d", c, got, want)
		}
	}
}

// pngFile returns a PNG of size by size pixels of one grey.
func pngFile(t *testing.T, size int, v byte) string {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, size, size))
	for i := range img.Pix {
		img.Pix[i] = v
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// pathfinderTree returns n images of 4 by 4 pixels in two metadata files, the
// grey of image i being i.
func pathfinderTree(t *testing.T, n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		metadata := fmt.Sprintf("pathfinder4/curv_contour_length_14/metadata/%d.npy", 9+i/7)
		files[metadata] += fmt.Sprintf("imgs/%d sample_%d.png %d %d 0.5 14\n", i/7, i, i, i%2)
		files[fmt.Sprintf("pathfinder4/curv_contour_length_14/imgs/%d/sample_%d.png", i/7, i)] = pngFile(t, 4, byte(i))
	}
	return files
}

func TestPathfinder(t *testing.T) {
	splits, err := Pathfinder(tree(t, pathfinderTree(t, 10)), Pathfinder14, 4)
	if err != nil {
		t.Fatal(err)
	}
	order := []byte{2, 6, 1, 8, 4, 5, 0, 9, 3, 7} // torch.randperm(10) with seed 42
	for i, want := range [][]byte{order[:8], order[8:9], order[9:]} {
		images, err := collect(splits[i].Images)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for _, img := range images {
			got = append(got, img.Pixels[15])
			if img.Label != int32(img.Pixels[0]%2) || len(img.Pixels) != 16 {
				t.Errorf("image %d has label %d and %d pixels", img.Pixels[0], img.Label, len(img.Pixels))
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: images %v, want %v", splits[i].Name, got, want)
		}
	}
}

func TestPathfinderErrors(t *testing.T) {
	const dir = "pathfinder4/curv_contour_length_14/"
	for want, files := range map[string]map[string]string{
		"metadata: no such directory with *.npy files": {},
		"x.npy: want a number for a name":              {dir + "metadata/x.npy": ""},
		"1.npy:1: 3 fields":                            {dir + "metadata/1.npy": "imgs a.png 0\n"},
		`1.npy:1: label "2", want 0 or 1`:              {dir + "metadata/1.npy": "imgs a.png 0 2\n"},
		`1.npy:1: "../a.png" leads out`:                {dir + "metadata/1.npy": ".. a.png 0 1\n"},
		"imgs/a.png: no such image":                    {dir + "metadata/1.npy": "imgs a.png 0 1\n"},
		"imgs/a.png: not a PNG image":                  {dir + "metadata/1.npy": "imgs a.png 0 1\n", dir + "imgs/a.png": "GIF"},
		"imgs/a.png: 5 by 5 pixels, want 4 by 4":       {dir + "metadata/1.npy": "imgs a.png 0 1\n", dir + "imgs/a.png": pngFile(t, 5, 0)},
		"imgs/a.png: broken PNG image":                 {dir + "metadata/1.npy": "imgs a.png 0 1\n", dir + "imgs/a.png": pngFile(t, 4, 0)[:60]},
	} {
		splits, err := Pathfinder(tree(t, files), Pathfinder14, 4)
		if err == nil {
			_, err = collect(splits[0].Images)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestGreyPixelsOfColour(t *testing.T) {
	img := image.NewNRGBA(image.Rect(1, 1, 3, 2))
	img.Set(1, 1, color.NRGBA{255, 0, 0, 10}) // Pillow ignores how opaque it is
	img.Set(2, 1, color.NRGBA{0, 0, 255, 255})
	if got := data.GreyPixels(img); !bytes.Equal(got, []byte{76, 29}) {
		t.Errorf("%v, want 76 and 29", got)
	}
}
