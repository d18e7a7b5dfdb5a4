package pathfinder

import "math"

// point is a place in the image, in pixels from its upper left corner.
type point struct{ x, y float64 }

// along returns the point at a distance in a direction.
func (p point) along(direction, distance float64) point {
	return point{p.x + math.Cos(direction)*distance, p.y + math.Sin(direction)*distance}
}

// distance returns the distance of two points.
func (p point) distance(q point) float64 {
	dx, dy := p.x-q.x, p.y-q.y
	return math.Sqrt(dx*dx + dy*dy)
}

// dash is a straight piece of a curve; a disc's place is a dash of length 0.
type dash struct{ from, to point }

// distanceTo returns the distance of the dash's nearest point to p.
func (d dash) distanceTo(p point) float64 {
	dx, dy := d.to.x-d.from.x, d.to.y-d.from.y
	t := 0.0
	if square := dx*dx + dy*dy; square > 0 {
		t = min(max(((p.x-d.from.x)*dx+(p.y-d.from.y)*dy)/square, 0), 1)
	}
	return p.distance(point{d.from.x + t*dx, d.from.y + t*dy})
}

// gapTo returns the distance between two dashes that do not cross.
func (d dash) gapTo(e dash) float64 {
	return min(d.distanceTo(e.from), d.distanceTo(e.to), e.distanceTo(d.from), e.distanceTo(d.to))
}

// crosses tells whether two dashes cross properly.
func (d dash) crosses(e dash) bool {
	side := func(a dash, p point) float64 {
		return (a.to.x-a.from.x)*(p.y-a.from.y) - (a.to.y-a.from.y)*(p.x-a.from.x)
	}
	return side(d, e.from)*side(d, e.to) < 0 && side(e, d.from)*side(e, d.to) < 0
}
