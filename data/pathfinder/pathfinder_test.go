package pathfinder

import (
	"bytes"
	"image/color"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// joined tells from the pixels alone whether a walk leads from one place to
// another that steps on bright pixels, no further than reach apart.
func joined(pixels []byte, size int, from, to point, reach int) bool {
	type pixel struct{ x, y int }
	goal := pixel{int(to.x), int(to.y)}
	seen := map[pixel]bool{}
	queue := []pixel{{int(from.x), int(from.y)}}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		if p == goal {
			return true
		}
		for dy := -reach; dy <= reach; dy++ {
			for dx := -reach; dx <= reach; dx++ {
				q := pixel{p.x + dx, p.y + dy}
				inside := q.x >= 0 && q.y >= 0 && q.x < size && q.y < size && dx*dx+dy*dy <= reach*reach
				if inside && pixels[q.y*size+q.x] > 127 && !seen[q] {
					seen[q] = true
					queue = append(queue, q)
				}
			}
		}
	}
	return false
}

// TestClassIsWhatTheImageShows walks from disc to disc: the gaps in a curve are
// under 5 pixels wide at this size, curves and discs over 5 apart.
func TestClassIsWhatTheImageShows(t *testing.T) {
	c := Preset(128, 14)
	for i := range 40 {
		l := layout{Config: c, random: rand.New(rand.NewPCG(7, uint64(i)))}
		for !l.arrange() {
		}
		for class, discs := range l.discs {
			pixels := l.render(discs)
			if got := joined(pixels, c.Size, discs[0], discs[1], 5); got != (class == 1) {
				t.Fatalf("image %d of class %d: the discs are joined: %v", i, class, got)
			}
		}
	}
}

func TestGenerate(t *testing.T) {
	for _, c := range []Config{Preset(32, 6), Preset(32, 9), Preset(32, 14), Preset(128, 14)} {
		images, labels, err := c.Generate(60, 1)
		if err != nil {
			t.Fatal(err)
		}
		ones, different := 0, map[string]bool{}
		for i, pixels := range images {
			ones += int(labels[i])
			different[string(pixels)] = true
			if len(pixels) != c.Size*c.Size || bytes.Count(pixels, []byte{255}) == 0 || bytes.Count(pixels, []byte{0}) < len(pixels)/2 {
				t.Fatalf("%d by %d, %d dashes: image %d is not white curves on black", c.Size, c.Size, c.Contour, i)
			}
		}
		if len(different) != 60 || ones < 15 || ones > 45 {
			t.Errorf("%d different images, %d of class 1; want 60 and about 30", len(different), ones)
		}
		again, _, _ := c.Generate(5, 1)
		for i := range again {
			if !bytes.Equal(again[i], images[i]) {
				t.Errorf("image %d depends on how many are drawn", i)
			}
		}
		if other, _, _ := c.Generate(1, 2); bytes.Equal(other[0], images[0]) {
			t.Error("two seeds drew the same image")
		}
	}
}

// TestDistanceTellsNothing: the discs are about as far apart in both classes,
// within a radius in each image.
func TestDistanceTellsNothing(t *testing.T) {
	c := Preset(32, 6)
	sum := 0.0
	const n = 300
	for i := range n {
		l := layout{Config: c, random: rand.New(rand.NewPCG(3, uint64(i)))}
		for !l.arrange() {
		}
		off := l.discs[1][0].distance(l.discs[1][1]) - l.discs[0][0].distance(l.discs[0][1])
		if math.Abs(off) > c.Radius {
			t.Fatalf("image %d: distances differ by %v", i, off)
		}
		sum += off
	}
	if mean := sum / n; math.Abs(mean) > 0.15 {
		t.Errorf("discs of class 1 are %v pixels further apart on average", mean)
	}
}

func TestValidate(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"4 by 4 pixels, want 8":   func(c *Config) { c.Size = 4 },
		"curves of 0 dashes":      func(c *Config) { c.Contour = 0 },
		"4 distractors of 0":      func(c *Config) { c.DistractorLength = 0 },
		"must be above 0":         func(c *Config) { c.Gap = math.NaN() },
		"do not fit into 32 by 3": func(c *Config) { c.Contour = 60 },
	} {
		c := Preset(32, 6)
		change(&c)
		if _, _, err := c.Generate(1, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestGeometry(t *testing.T) {
	d := dash{point{0, 0}, point{4, 0}}
	for p, want := range map[point]float64{{2, 3}: 3, {-3, 4}: 5, {7, 0}: 3} {
		if got := d.distanceTo(p); got != want {
			t.Errorf("distance of %v is %v, want %v", p, got, want)
		}
	}
	up := dash{point{2, -1}, point{2, 1}}
	beside := dash{point{5, -1}, point{5, 1}}
	if !d.crosses(up) || d.crosses(beside) || d.gapTo(beside) != 1 {
		t.Error("crossing or gap of dashes")
	}
	if spot := (dash{point{1, 1}, point{1, 1}}); spot.distanceTo(point{1, 3}) != 2 {
		t.Error("distance from a dash of no length")
	}
}

func TestSheet(t *testing.T) {
	images := [][]byte{bytes.Repeat([]byte{9}, 64), bytes.Repeat([]byte{7}, 64), bytes.Repeat([]byte{5}, 64)}
	images[1][9] = 0 // (1, 1)
	s := Sheet(images, []int32{0, 1, 1}, 8, 2, 3)
	if r := s.Bounds(); r.Dx() != 56 || r.Dy() != 56 {
		t.Errorf("%v, want 56 by 56", r)
	}
	for x := range 6 {
		if got, want := s.At(28+2+x, 2+3), uint8(7*(1-x/3)); got != (color.RGBA{want, want, want, 255}) {
			t.Errorf("column %d of the second image is %v, want %d", x, got, want)
		}
	}
	if got := s.At(28+2, 2); got != (color.RGBA{7, 7, 7, 255}) {
		t.Errorf("the second image begins with %v", got)
	}
	if s.At(0, 0) == s.At(28, 0) {
		t.Error("both classes have the same frame")
	}
}

func BenchmarkGenerate(b *testing.B) {
	c := Preset(32, 14)
	for b.Loop() {
		if _, _, err := c.Generate(20, 1); err != nil {
			b.Fatal(err)
		}
	}
}
