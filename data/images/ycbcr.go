package images

import "image"

// A coding says how brightness and colour differences give red, green and blue:
// factors of 2^-16.
type coding struct{ black, y, crRed, cbGreen, crGreen, cbBlue int32 }

var (
	// full is JPEG's, brightness from 0 to 255 (JFIF 1.02, page 3).
	full = coding{0, 65536, 91881, -22554, -46802, 116130}
	// studio is WebP's, brightness from 16 to 235 (ITU-R BT.601; RFC 6386,
	// section 9.2), which golang.org/x/image/webp leaves to its callers.
	studio = coding{16, 76309, 104597, -25675, -53279, 132201}
)

// fromYCbCr returns the colours of planes of brightness and colour differences.
func fromYCbCr(img *image.YCbCr, c coding) *Picture {
	r := img.Rect
	p := blank(r.Dx(), r.Dy())
	cb, cr := make([]byte, p.Width+1), make([]byte, p.Width+1)
	sums := make([]int32, p.Width+1)
	for y := range p.Height {
		widen(cb, sums, img, img.Cb, y)
		widen(cr, sums, img, img.Cr, y)
		c.convert(p.row(y), img.Y[img.YOffset(r.Min.X, r.Min.Y+y):], cb, cr)
	}
	return p
}

// convert sets a row of colours.
func (c coding) convert(to, ys, cbs, crs []byte) {
	for x := range len(to) / 3 {
		y := c.y*(int32(ys[x])-c.black) + 1<<15
		cb, cr := int32(cbs[x])-128, int32(crs[x])-128
		px := to[3*x : 3*x+3 : 3*x+3]
		px[0] = clip((y + c.crRed*cr) >> 16)
		px[1] = clip((y + c.cbGreen*cb + c.crGreen*cr) >> 16)
		px[2] = clip((y + c.cbBlue*cb) >> 16)
	}
}

func clip(v int32) byte { return byte(min(max(v, 0), 255)) }

// widen sets row y of a plane of colour differences, of as many columns as the
// picture has (and, of an odd width, one more). Where the plane has half the
// columns, or half the columns and rows, it blends neighbours 3 to 1 as libjpeg
// does, and so Pillow; else it repeats them.
func widen(to []byte, sums []int32, img *image.YCbCr, plane []byte, y int) {
	r := img.Rect
	columns, rows := (r.Dx()+1)/2, (r.Dy()+1)/2
	shift := uint(0)
	switch {
	case columns <= 2:
	case img.SubsampleRatio == image.YCbCrSubsampleRatio422:
		for x, v := range plane[y*img.CStride:][:columns] {
			sums[x] = int32(v)
		}
		shift = 2
	case img.SubsampleRatio == image.YCbCrSubsampleRatio420:
		other := min(max(y/2-1+2*(y%2), 0), rows-1)
		near, far := plane[y/2*img.CStride:], plane[other*img.CStride:]
		for x := range columns {
			sums[x] = 3*int32(near[x]) + int32(far[x])
		}
		shift = 4
	}
	if shift != 0 {
		blend(to, sums[:columns], shift)
		return
	}
	for x := range r.Dx() {
		to[x] = plane[img.COffset(r.Min.X+x, r.Min.Y+y)]
	}
}

// blend doubles a row of sums, of 4 quarters or 16 sixteenths in the end. The
// left pixel of two is rounded by half, or where there are quarters a quarter,
// the right one just below or above it (libjpeg's jdsample.c).
func blend(to []byte, sums []int32, shift uint) {
	left, right := int32(8), int32(7)
	if shift == 2 {
		left, right = 1, 2
	}
	last := len(sums) - 1
	for x, v := range sums {
		to[2*x] = byte((3*v + sums[max(x-1, 0)] + left) >> shift)
		to[2*x+1] = byte((3*v + sums[min(x+1, last)] + right) >> shift)
	}
}

func codingOf(format string) coding {
	if format == "WEBP" {
		return studio
	}
	return full
}
