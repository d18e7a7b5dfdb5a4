package pathfinder

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/mega-go/mega/internal/parallel"
)

// Config says what the images look like. Lengths are in pixels.
type Config struct {
	Size             int     // images are Size by Size
	Contour          int     // dashes of each of the two target curves
	Distractors      int     // number of distractor curves
	DistractorLength int     // dashes of each distractor curve
	Dash, Gap        float64 // lengths of a dash and of the gap after it
	Width            float64 // of the lines
	Radius           float64 // of the discs
	Clearance        float64 // least distance between the middles of curves
	MaxTurn          float64 // greatest change of direction from dash to dash, radians
}

// Preset returns the look of a size and a difficulty: the dashes of the target
// curves, which the original task has 6, 9 and 14 of. Sizes from 32 up are
// scaled versions of one another.
func Preset(size, contour int) Config {
	unit := float64(size) / 32
	return Config{
		Size:             size,
		Contour:          contour,
		Distractors:      4,
		DistractorLength: max(contour/3, 1),
		Dash:             1.4 * unit,
		Gap:              1.3 * unit,
		Width:            max(0.6*unit, 1),
		Radius:           1.2 * unit,
		Clearance:        2.6 * unit,
		MaxTurn:          0.6,
	}
}

// Validate reports a setting that cannot be drawn.
func (c Config) Validate() error {
	switch {
	case c.Size < 8 || c.Size > 1024:
		return fmt.Errorf("pathfinder: images of %d by %d pixels, want 8 to 1024", c.Size, c.Size)
	case c.Contour < 1 || c.Distractors < 0 || c.Distractors > 0 && c.DistractorLength < 1:
		return fmt.Errorf("pathfinder: curves of %d dashes and %d distractors of %d; curves need a dash", c.Contour, c.Distractors, c.DistractorLength)
	case !(c.Dash > 0 && c.Gap > 0 && c.Width > 0 && c.Radius > 0 && c.Clearance > 0 && c.MaxTurn >= 0):
		return errors.New("pathfinder: dash, gap, width, radius and clearance must be above 0, the turn not below")
	}
	return nil
}

// Generate draws images 0 to count-1 of a seed, with their classes. Image i is
// the same whatever count is. It fails if the curves do not fit.
func (c Config) Generate(count int, seed uint64) (images [][]byte, labels []int32, err error) {
	if err := c.Validate(); err != nil {
		return nil, nil, err
	}
	images, labels = make([][]byte, count), make([]int32, count)
	err = parallel.Each(count, func(i int) (err error) {
		images[i], labels[i], err = c.draw(seed, i)
		return err
	})
	return images, labels, err
}

// maxLayouts is how many arrangements are tried before an image is given up.
const maxLayouts = 200

// draw draws one image.
func (c Config) draw(seed uint64, i int) (pixels []byte, label int32, err error) {
	l := layout{Config: c, random: rand.New(rand.NewPCG(seed, uint64(i)))}
	for range maxLayouts {
		if l.arrange() {
			label = int32(l.random.IntN(2))
			return l.render(l.discs[label]), label, nil
		}
	}
	return nil, 0, fmt.Errorf("pathfinder: two curves of %d dashes and %d of %d do not fit into %d by %d pixels; take shorter ones, fewer, or larger images",
		c.Contour, c.Distractors, c.DistractorLength, c.Size, c.Size)
}

// layout is an arrangement of curves in the making.
type layout struct {
	Config
	random *rand.Rand
	curves [][]dash    // the two targets first
	ends   []dash      // where discs could be: both ends of both targets
	discs  [2][2]point // their places for class 0 and for class 1
}

// arrange places all curves; it reports false where one finds no room or the
// targets' ends do not suit.
func (l *layout) arrange() bool {
	l.curves, l.ends = l.curves[:0], l.ends[:0]
	for range 2 {
		if !l.placeTarget() {
			return false
		}
	}
	if !l.chooseDiscs() {
		return false
	}
	for range maxDistractions {
		if l.distract() {
			return true
		}
	}
	return false
}

// placeTarget places a target curve with room for a disc at either end.
func (l *layout) placeTarget() bool {
	curve := l.place(l.Contour)
	if curve == nil {
		return false
	}
	first, last := curve[0].from, curve[len(curve)-1].to
	for _, end := range []dash{{first, first}, {last, last}} {
		for _, other := range l.curves {
			if !l.clear(end, other, l.Clearance+l.Radius) {
				return false
			}
		}
		l.ends = append(l.ends, end)
	}
	l.curves = append(l.curves, curve)
	return true
}

// maxDistractions is how often the distractors are placed around the targets.
const maxDistractions = 4

// distract places the distractors; it reports false where one finds no room.
func (l *layout) distract() bool {
	l.curves = l.curves[:2]
	for range l.Distractors {
		curve := l.place(l.DistractorLength)
		if curve == nil {
			return false
		}
		l.curves = append(l.curves, curve)
	}
	return true
}

// maxStarts is how many places are tried for a curve, maxTurns how many turns
// for a dash, maxRetreats how often a curve that is stuck takes two dashes back.
const (
	maxStarts   = 60
	maxTurns    = 6
	maxRetreats = 10
)

// place returns a curve of the given number of dashes that keeps clear of all
// others, or nil if it finds none.
func (l *layout) place(dashes int) []dash {
	for range maxStarts {
		start := point{l.random.Float64() * float64(l.Size), l.random.Float64() * float64(l.Size)}
		if curve := l.grow(start, dashes); curve != nil {
			return curve
		}
	}
	return nil
}

// grow lets a curve wander from a point.
func (l *layout) grow(start point, dashes int) []dash {
	heading := l.random.Float64() * 2 * math.Pi
	states := []tip{{start, heading, 0}}
	var curve []dash
	retreats := 0
	for len(curve) < dashes {
		if d, next, ok := l.extend(states[len(curve)], curve); ok {
			curve, states = append(curve, d), append(states, next)
			continue
		}
		retreats++
		if len(curve) < 3 || retreats > maxRetreats {
			return nil
		}
		curve, states = curve[:len(curve)-2], states[:len(states)-2]
	}
	return curve
}

// tip is where a curve goes on: the place, the direction and the last turn.
type tip struct {
	at            point
	heading, turn float64
}

// extend finds one more dash. The turn leans towards the one before, which
// makes arcs rather than zigzags.
func (l *layout) extend(t tip, curve []dash) (dash, tip, bool) {
	for range maxTurns {
		turn := t.turn/2 + l.MaxTurn*(l.random.Float64()*2-1)
		turn = min(max(turn, -l.MaxTurn), l.MaxTurn)
		heading := t.heading + turn
		d := dash{t.at, t.at.along(heading, l.Dash)}
		if l.fits(d, curve) {
			return d, tip{d.to.along(heading, l.Gap), heading, turn}, true
		}
	}
	return dash{}, tip{}, false
}

// fits tells whether a dash lies inside the image and clear of all other
// curves, of the places of discs and of its own curve but for its last dashes.
func (l *layout) fits(d dash, own []dash) bool {
	margin := l.Radius + 1
	for _, p := range []point{d.from, d.to} {
		if p.x < margin || p.y < margin || p.x > float64(l.Size)-margin || p.y > float64(l.Size)-margin {
			return false
		}
	}
	for _, curve := range l.curves {
		if !l.clear(d, curve, l.Clearance) {
			return false
		}
	}
	near := int(math.Ceil(l.Clearance / (l.Dash + l.Gap)))
	return l.clear(d, l.ends, l.Clearance+l.Radius) && l.clear(d, own[:max(0, len(own)-near)], l.Clearance)
}

// clear tells whether a dash keeps a distance from all others.
func (l *layout) clear(d dash, others []dash, distance float64) bool {
	reach := distance + d.from.distance(d.to) + l.Dash
	for _, other := range others {
		if math.Abs(d.from.x-other.from.x) > reach || math.Abs(d.from.y-other.from.y) > reach {
			continue // too far for any of their points
		}
		if d.gapTo(other) < distance || d.crosses(other) {
			return false
		}
	}
	return true
}

// chooseDiscs chooses the places of the discs for class 0, one end of each
// target curve, and for class 1, both ends of one. They are about as far apart
// in both, so that the distance does not give the class away. It reports false if no
// such choice exists.
func (l *layout) chooseDiscs() bool {
	k := 2 * l.random.IntN(2)
	l.discs[1] = [2]point{l.ends[k].from, l.ends[k+1].from}
	length := l.discs[1][0].distance(l.discs[1][1])
	nearest := math.Inf(1)
	for _, a := range l.ends[:2] {
		for _, b := range l.ends[2:] {
			if off := math.Abs(a.from.distance(b.from) - length); off < nearest {
				nearest = off
				l.discs[0] = [2]point{a.from, b.from}
			}
		}
	}
	return nearest < l.Radius
}
