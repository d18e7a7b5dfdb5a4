package images

import (
	"image"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/data/mt19937"
)

// TestOperations has Pillow's bytes (testdata/pillow.py names the arguments).
func TestOperations(t *testing.T) {
	sheet := read(t, "augmented.png")
	fill := ImageNet.fill()
	for i, c := range []struct {
		name string
		arg  float64
	}{
		{"AutoContrast", 0}, {"Equalize", 0}, {"Invert", 0}, {"Rotate", 27}, {"Rotate", -13.3},
		{"PosterizeIncreasing", 1}, {"PosterizeIncreasing", 4}, {"SolarizeIncreasing", 26}, {"SolarizeAdd", 99},
		{"ColorIncreasing", 0.19}, {"ColorIncreasing", 1.81}, {"ContrastIncreasing", 0.19}, {"ContrastIncreasing", 1.81},
		{"BrightnessIncreasing", 0.19}, {"BrightnessIncreasing", 1.81}, {"SharpnessIncreasing", 0.19}, {"SharpnessIncreasing", 1.81},
		{"ShearX", 0.27}, {"ShearY", -0.27}, {"TranslateXRel", 0.405}, {"TranslateYRel", -0.405},
	} {
		p := read(t, "base.png")
		if i < 2 {
			p = read(t, "dull.png")
		}
		op := operations[slices.IndexFunc(operations, func(o operation) bool { return o.name == c.name })]
		if greatest, mean := difference(t, op.do(p, c.arg, fill), part(sheet, i, p.Height)); greatest != 0 {
			t.Errorf("%s %v: differs by up to %d, %.4f on average", c.name, c.arg, greatest, mean)
		}
	}
}

// TestLevels has the arguments of magnitude 9 and 10 in timm's
// auto_augment.py, and those that change nothing of magnitude 0.
func TestLevels(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	want := map[string][3]float64{
		"Rotate": {0, 27, 30}, "PosterizeIncreasing": {4, 1, 0}, "SolarizeIncreasing": {256, 26, 0}, "SolarizeAdd": {0, 99, 110},
		"ColorIncreasing": {1, 1.81, 1.9}, "ContrastIncreasing": {1, 1.81, 1.9}, "BrightnessIncreasing": {1, 1.81, 1.9},
		"SharpnessIncreasing": {1, 1.81, 1.9}, "ShearX": {0, 0.27, 0.3}, "ShearY": {0, 0.27, 0.3},
		"TranslateXRel": {0, 0.405, 0.45}, "TranslateYRel": {0, 0.405, 0.45},
	}
	for _, op := range operations {
		for i, magnitude := range []float64{0, 9, 10} {
			least, most := math.Inf(1), math.Inf(-1)
			for range 40 {
				v := op.level(magnitude, r)
				least, most = min(least, v), max(most, v)
			}
			high := want[op.name][i]
			low := high
			switch {
			case strings.HasSuffix(op.name, "Increasing") && high >= 1 && high < 2 && op.name[0] != 'P':
				low = 2 - high
			case high < 30.5 && high > 0 && op.name != "SolarizeIncreasing" && op.name[0] != 'P':
				low = -high
			}
			if math.Abs(most-high) > 1e-12 || math.Abs(least-low) > 1e-12 {
				t.Errorf("%s of magnitude %v: %v to %v, want %v to %v", op.name, magnitude, least, most, low, high)
			}
		}
	}
}

// TestRandAugment draws each operation as often as the others, and does one in
// two.
func TestRandAugment(t *testing.T) {
	saved := slices.Clone(operations)
	defer func() { copy(operations, saved) }()
	done := make([]int, len(operations))
	for i := range operations {
		operations[i].do = func(p *Picture, _ float64, _ [3]byte) *Picture { done[i]++; return p }
	}
	r := rand.New(rand.NewPCG(1, 0))
	const n = 15000
	for range n {
		DeiT.Rand.apply(nil, [3]byte{}, r)
	}
	for i, times := range done {
		if math.Abs(float64(times)-n/15) > 5*math.Sqrt(n/15) {
			t.Errorf("%s done %d times of %d, want about %d", operations[i].name, times, n, n/15)
		}
	}
}

func TestParseRandAugment(t *testing.T) {
	for text, want := range map[string]RandAugment{
		"rand-m9-mstd0.5-inc1": DeiT.Rand,
		"none":                 {},
		"rand-inc1-n3-p1-m7.5": {3, 1, 7.5, 0},
	} {
		if got, err := ParseRandAugment(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "rand", "rand-m9", "rand-m9-inc0", "rand-m-inc1", "augmix-m9-inc1", "rand-w0-inc1", "rand-n1.5-inc1", "rand-mx9-inc1"} {
		if got, err := ParseRandAugment(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

// TestCrop holds crops against their definition: a share of the area from 0.08 to
// 1 and the logarithm of a ratio from 3/4 to 4/3, drawn evenly until they fit.
func TestCrop(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	const width, height, n = 640, 480, 4000
	var got, want [2]float64 // means of the share and of the logarithm
	for range n {
		c := DeiT.cropOf(width, height, r)
		area, ratio := float64(c.Dx()*c.Dy())/(width*height), float64(c.Dx())/float64(c.Dy())
		if !c.In(image.Rect(0, 0, width, height)) || area < 0.079 || ratio < 0.74 || ratio > 1.35 {
			t.Fatalf("%v: share %v, ratio %v", c, area, ratio)
		}
		got[0], got[1] = got[0]+area/n, got[1]+math.Log(ratio)/n
		for {
			share, ratio := 0.08+0.92*r.Float64(), math.Log(4./3)*(2*r.Float64()-1)
			w, h := math.Sqrt(share*width*height*math.Exp(ratio)), math.Sqrt(share*width*height/math.Exp(ratio))
			if w <= width && h <= height {
				want[0], want[1] = want[0]+share/n, want[1]+ratio/n
				break
			}
		}
	}
	if math.Abs(got[0]-want[0]) > 0.02 || math.Abs(got[1]-want[1]) > 0.02 {
		t.Errorf("a share of %.3f on average and a ratio of e^%.3f, want %.3f and e^%.3f", got[0], got[1], want[0], want[1])
	}
	for size, want := range map[image.Point]image.Rectangle{
		{1, 1000}: image.Rect(0, 499, 1, 500), {1000, 3}: image.Rect(498, 0, 502, 3),
	} {
		a := DeiT
		a.Scale = [2]float64{1, 1} // never fits
		if got := a.cropOf(size.X, size.Y, r); got != want {
			t.Errorf("of %v: %v, want %v", size, got, want)
		}
	}
}

// TestVary without RandAugment is a crop of the picture, scaled, mirrored in half
// of the cases.
func TestVary(t *testing.T) {
	a := DeiT
	a.Rand.Layers = 0
	v := View{Side: 24, Mean: ImageNet.Mean, Std: ImageNet.Std}
	mirrored := 0
	for seed := range uint64(200) {
		p := read(t, "base.png")
		got := a.vary(p, v, rand.New(rand.NewPCG(seed, 0)))
		c := a.cropOf(p.Width, p.Height, rand.New(rand.NewPCG(seed, 0)))
		plain := p.crop(c.Min.X, c.Min.Y, c.Dx(), c.Dy()).resize(24, 24)
		turned := blank(24, 24)
		for i := range 24 * 24 {
			copy(turned.at(i%24, i/24), plain.at(23-i%24, i/24))
		}
		switch string(got.Pix) {
		case string(plain.Pix):
		case string(turned.Pix):
			mirrored++
		default:
			t.Fatalf("seed %d: neither the crop nor its mirror image", seed)
		}
	}
	if mirrored < 70 || mirrored > 130 {
		t.Errorf("%d of 200 mirrored", mirrored)
	}
}

// TestErase: a quarter of the pictures have one rectangle of a fiftieth to a third
// of their area replaced in all colours by noise that is clipped at 2.
func TestErase(t *testing.T) {
	const side, n = 32, 2000
	erased, sum, squares, count := 0, 0.0, 0.0, 0.0
	for seed := range uint64(n) {
		x := make([]float32, 3*side*side)
		for i := range x {
			x[i] = 9
		}
		DeiT.erase(x, side, rand.New(rand.NewPCG(seed, 0)))
		var hit [3]image.Rectangle
		pixels := 0
		for i, v := range x {
			if v == 9 {
				continue
			}
			if v < -2 || v > 2 {
				t.Fatalf("noise of %v", v)
			}
			at := i % (side * side)
			hit[i/(side*side)] = hit[i/(side*side)].Union(image.Rect(at%side, at/side, at%side+1, at/side+1))
			pixels++
			sum, squares, count = sum+float64(v), squares+float64(v*v), count+1
		}
		if pixels == 0 {
			continue
		}
		erased++
		area := hit[0].Dx() * hit[0].Dy()
		if hit[0] != hit[1] || hit[1] != hit[2] || pixels != 3*area || area < 16 || area > 370 {
			t.Fatalf("%d numbers in %v", pixels, hit)
		}
	}
	if erased < n/4-80 || erased > n/4+80 {
		t.Errorf("%d of %d erased", erased, n)
	}
	// A normal number clipped at 2 has variance 0.9205.
	if mean, variance := sum/count, squares/count; math.Abs(mean) > 0.02 || math.Abs(variance-0.9205) > 0.02 {
		t.Errorf("noise of mean %.3f and variance %.3f", mean, variance)
	}
}

// pictures is a batch of rows pictures, each number of which tells its picture
// and place, of classes 0, 1, 2, 0 ...
func pictures(rows, side int) *Batch {
	b := &Batch{Rows: rows, Side: side, Pixels: make([]float32, rows*3*side*side)}
	for i := range b.Pixels {
		b.Pixels[i] = float32(math.Sin(float64(i)))
	}
	for i := range rows {
		b.Labels = append(b.Labels, int32(i%3))
	}
	return b
}

// TestMixing holds mixed batches, and their targets, against the definition with
// the share that the targets tell.
func TestMixing(t *testing.T) {
	const side, classes = 8, 5
	m := DeiT.Mixing
	cut := 0
	for seed := range uint64(400) {
		rows := 5 + int(seed%2)
		plain, b := pictures(rows, side), pictures(rows, side)
		m.apply(b, classes, rand.New(rand.NewPCG(seed, 1)))
		// Row 0 is of class 0 and mixed with row rows-1 of class 1 or 2.
		share := (float64(b.Targets[0]) - 0.02) / 0.9
		from, lost := 0, 0.0
		for i := range rows {
			x, y, got := plain.row(i), plain.row(rows-1-i), b.row(i)
			for j, v := range got {
				switch mixed := float64(x[j])*share + float64(y[j])*(1-share); {
				case math.Abs(float64(v)-mixed) < 1e-6:
				case v == x[j] || v == y[j]:
					if i == 0 && v == y[j] {
						lost++
					}
					from++
				default:
					t.Fatalf("seed %d, row %d: number %d is %v, of %v and %v by %.3f", seed, i, j, v, x[j], y[j], share)
				}
			}
			sum := 0.0
			for class := range classes {
				want := 0.02
				if plain.Labels[i] == int32(class) {
					want += 0.9 * share
				}
				if plain.Labels[rows-1-i] == int32(class) {
					want += 0.9 * (1 - share)
				}
				sum += want
				if got := float64(b.Targets[i*classes+class]); math.Abs(got-want) > 1e-6 {
					t.Fatalf("seed %d: target %d of row %d is %v, want %v", seed, class, i, got, want)
				}
			}
			if math.Abs(sum-1) > 1e-6 {
				t.Fatalf("targets sum to %v", sum)
			}
		}
		if from > 0 {
			cut++
			if math.Abs(lost/(3*side*side)-(1-share)) > 1e-6 {
				t.Errorf("seed %d: %v of row 0 exchanged, and its target has a share of %v", seed, lost/(3*side*side), share)
			}
		}
	}
	// A cut of nothing looks like a mix by 1.
	if cut < 130 || cut > 230 {
		t.Errorf("%d of 400 cut", cut)
	}
}

// TestCutIsARectangle about a point of the picture, of the area that is drawn
// where its edges do not cut it.
func TestCutIsARectangle(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 0))
		got := box(64, 0.75, r)
		again := rand.New(rand.NewPCG(seed, 0))
		y, x := again.IntN(64), again.IntN(64)
		if want := image.Rect(max(x-16, 0), max(y-16, 0), min(x+16, 64), min(y+16, 64)); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	b, plain := pictures(2, 6), pictures(2, 6)
	if share := b.cut(image.Rect(1, 2, 4, 6)); math.Abs(share-(1-12./36)) > 1e-12 {
		t.Errorf("a share of %v is left", share)
	}
	for i := range 3 * 36 {
		x, y := i%6, i/6%6
		inside := x >= 1 && x < 4 && y >= 2
		if exchanged := b.row(0)[i] == plain.row(1)[i] && b.row(1)[i] == plain.row(0)[i]; exchanged != inside {
			t.Errorf("(%d, %d): exchanged %v", x, y, exchanged)
		}
	}
}

// TestBeta has the mean and the variance of Beta(alpha, alpha).
func TestBeta(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	for _, alpha := range []float64{0.2, 0.8, 1, 5} {
		const n = 40000
		mean, squares := 0.0, 0.0
		for range n {
			v := beta(r, alpha)
			mean, squares = mean+v/n, squares+(v-0.5)*(v-0.5)/n
		}
		if want := 1 / (4 * (2*alpha + 1)); math.Abs(mean-0.5) > 0.01 || math.Abs(squares/want-1) > 0.04 {
			t.Errorf("alpha %v: mean %.3f, variance %.4f, want 0.5 and %.4f", alpha, mean, squares, want)
		}
	}
	for range 1000 {
		if v := beta(r, 1e-6); !(v >= 0 && v <= 1) {
			t.Fatalf("%v", v)
		}
	}
}

// TestTraining: an epoch depends on seed and number alone, not on what was asked
// for before nor on the number of workers.
func TestTraining(t *testing.T) {
	var files []string
	for i := range 7 {
		files = append(files, "a/"+string(rune('0'+i))+".jpg", "b/"+string(rune('0'+i))+".jpg")
	}
	s, err := Open(tree(t, files...), nil)
	if err != nil {
		t.Fatal(err)
	}
	v := ImageNet
	v.Side = 16
	epoch := func(seed uint64, n int) []*Batch {
		var all []*Batch
		b := s.Training(v, DeiT, 4, seed, n)
		for i := range b.Len() {
			batch, err := b.Batch(b.Len() - 1 - i)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, batch)
		}
		return all
	}
	same := func(a, b []*Batch) bool {
		return slices.EqualFunc(a, b, func(a, b *Batch) bool {
			return slices.Equal(a.Pixels, b.Pixels) && slices.Equal(a.Targets, b.Targets) && slices.Equal(a.IDs, b.IDs)
		})
	}
	first := epoch(1, 1)
	if len(first) != 3 || first[0].Rows != 4 || len(first[0].Targets) != 8 {
		t.Fatalf("%d batches of 14 pictures, the first of %d rows and %d targets", len(first), first[0].Rows, len(first[0].Targets))
	}
	old := runtime.GOMAXPROCS(1)
	alone := epoch(1, 1)
	runtime.GOMAXPROCS(old)
	if !same(first, alone) {
		t.Error("the number of workers changes batches")
	}
	if same(first, epoch(1, 2)) || same(first, epoch(2, 1)) {
		t.Error("epochs or seeds are alike")
	}
	// RASampler repeats what torch.randperm gives by seed and epoch, counted from 0.
	for n := range 3 {
		order, shuffled := s.Training(v, DeiT, 4, 42, n+1).order, mt19937.New(uint32(42+n)).TorchPermutation(14)
		for i, id := range order {
			if id != shuffled[i/3] || len(order) != 14 {
				t.Fatalf("epoch %d: order %v of %v", n+1, order, shuffled)
			}
		}
	}
	a, err := s.Training(v, DeiT, 3, 42, 1).Batch(0)
	if err != nil || slices.Equal(a.row(0), a.row(1)) {
		t.Errorf("a picture is augmented alike twice: %v", err)
	}
}

// TestEpochIsRounded to the multiple of 256 that the reference trains on.
func TestEpochIsRounded(t *testing.T) {
	s := &Set{paths: make([]string, 600)}
	for repeats, want := range map[int]int{1: 600, 3: 512} {
		a := DeiT
		a.Repeats = repeats
		if got := len(s.Training(ImageNet, a, 8, 1, 1).order); got != want {
			t.Errorf("%d repeats: %d pictures of 600, want %d", repeats, got, want)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := DeiT.Validate(); err != nil {
		t.Error(err)
	}
	if err := ImageNet.Validate(); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*Augmentation, *View){
		"scale": func(a *Augmentation, _ *View) { a.Scale[0] = 0 }, "ratio": func(a *Augmentation, _ *View) { a.Ratio[1] = 0.5 },
		"hflip": func(a *Augmentation, _ *View) { a.Flip = math.NaN() }, "aa: m": func(a *Augmentation, _ *View) { a.Rand.Magnitude = 11 },
		"repeated-aug": func(a *Augmentation, _ *View) { a.Repeats = 0 }, "smoothing": func(a *Augmentation, _ *View) { a.Smoothing = 1.5 },
		"side": func(_ *Augmentation, v *View) { v.Side = 0 }, "crop": func(_ *Augmentation, v *View) { v.CropRatio = 0 },
		"deviation": func(_ *Augmentation, v *View) { v.Std[1] = 0 },
	} {
		a, v := DeiT, ImageNet
		spoil(&a, &v)
		err := a.Validate()
		if err == nil {
			err = v.Validate()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
