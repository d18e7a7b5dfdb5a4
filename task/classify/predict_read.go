package classify

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"
	"strings"

	"golang.org/x/image/draw"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/audio"
	"github.com/mega-go/mega/data/images"
	"github.com/mega-go/mega/data/table"
	"github.com/mega-go/mega/internal/textfile"
)

// maxFile bounds what is read of an input that is not a stream: what is longer
// could not be held in memory several times over.
const maxFile = 1 << 28

// File reads an input from a file, or two of a pair.
func (p *Predictor) File(paths ...string) (Example, error) {
	var contents [][]byte
	for _, path := range paths {
		f, err := table.OpenBytes(path)
		if err != nil {
			return Example{}, err
		}
		b, err := readAll(f)
		f.Close()
		if err != nil {
			return Example{}, fmt.Errorf("%s: %w", path, err)
		}
		contents = append(contents, b)
	}
	return p.Bytes(strings.Join(paths, " "), contents...)
}

// Reader reads an input to its end.
func (p *Predictor) Reader(name string, r io.Reader) (Example, error) {
	b, err := readAll(r)
	if err != nil {
		return Example{}, fmt.Errorf("%s: %w", name, err)
	}
	return p.Bytes(name, b)
}

func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("more than %d MB: a text or a recording can be read as a stream", maxFile>>20)
	}
	return b, err
}

// Bytes reads an input from the content of a file, or two of a pair: text, an
// image (JPEG, PNG, WebP or GIF), or a WAV file, as the model wants it. A newline at the
// end of a text is not part of it.
func (p *Predictor) Bytes(name string, contents ...[]byte) (Example, error) {
	var e Example
	var err error
	switch {
	case p.Pair() && len(contents) != 2:
		err = errors.New("the model reads pairs of texts, and there is one")
	case !p.Pair() && len(contents) != 1:
		err = fmt.Errorf("%d texts, and the model reads one", len(contents))
	case p.Inputs.Kind == InputImage:
		e, err = p.image(contents[0])
	case p.Inputs.Kind == InputAudio:
		e, err = p.wav(contents[0])
	default:
		for i, b := range contents {
			if p.Inputs.Kind == InputWords {
				b, err = textfile.SkipMark(b)
			}
			contents[i] = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
		}
		if err == nil {
			e, err = p.texts(contents)
		}
	}
	e.Name = name
	if err != nil {
		return e, fmt.Errorf("%s: %w", name, err)
	}
	return e, nil
}

// Pair tells whether the model reads pairs of texts.
func (p *Predictor) Pair() bool { return p.config.Pair() }

// texts reads a text, or two.
func (p *Predictor) texts(contents [][]byte) (Example, error) {
	var e Example
	var err error
	if e.Tokens, err = p.tokens(contents[0], &e); err != nil || len(contents) == 1 {
		return e, err
	}
	e.Pair, err = p.tokens(contents[1], &e)
	return e, err
}

// tokens returns a text's tokens, </s> at the end and, if the model wants it,
// <CLS> before them.
func (p *Predictor) tokens(text []byte, e *Example) ([]int32, error) {
	if len(text) == 0 {
		return nil, errors.New("the text is empty")
	}
	var ids []int32
	if p.config.SenRepType == mega.SenRepCLS {
		ids = append(ids, p.dictionary.Index(data.CLS))
	}
	if p.Inputs.Kind == InputBytes {
		ids = p.byteTokens(ids, text)
	} else {
		ids = p.dictionary.Encode(ids, p.withoutParentheses(string(text)))
		ids = ids[:len(ids)-1]
	}
	return p.finish(ids, e)
}

// byteTokens appends the tokens of bytes. It stops a little beyond what the
// model reads.
func (p *Predictor) byteTokens(ids []int32, text []byte) []int32 {
	table := p.byteTable()
	for _, b := range text[:min(len(text), p.limit+1)] {
		ids = append(ids, table[b])
	}
	return ids
}

// byteTable returns the token of each byte.
func (p *Predictor) byteTable() *[256]int32 {
	var table [256]int32
	for b := range table {
		table[b] = p.dictionary.Index(fmt.Sprint(b))
	}
	return &table
}

// withoutParentheses leaves out the parentheses of ListOps, which no dictionary
// of it has (data/listops.Records).
func (p *Predictor) withoutParentheses(text string) string {
	if !p.listOps() {
		return text
	}
	return strings.NewReplacer("(", " ", ")", " ").Replace(text)
}

// listOps tells whether the dictionary is one of ListOps.
func (p *Predictor) listOps() bool {
	return slices.ContainsFunc([]string{"[MIN", "[MAX", "[MED", "[SM"}, p.dictionary.Contains) && !p.dictionary.Contains("(")
}

// finish appends </s>, counts unknown tokens and holds the length against what
// the model reads.
func (p *Predictor) finish(ids []int32, e *Example) ([]int32, error) {
	for _, id := range ids {
		if id == data.Unknown {
			e.Unknown++
		}
	}
	ids = append(ids, data.EOS)
	if len(ids) > p.limit {
		if !p.Truncate {
			return nil, tooLong("more than the %d tokens that the model reads", p.limit)
		}
		ids, e.Truncated = ids[:p.limit], true
	}
	return ids, nil
}

// image reads an image: grey, cut to the shape of those that the model was
// trained on, and scaled to their size.
func (p *Predictor) image(b []byte) (Example, error) {
	img, _, err := images.Decode(b)
	if err != nil {
		return Example{}, err
	}
	width, height := p.Inputs.Width, p.Inputs.Height
	if size := img.Bounds().Size(); size.X != width || size.Y != height {
		img = scale(img, width, height)
	}
	return p.pixels(data.GreyPixels(img))
}

// scale cuts an image to the shape of width by height about its middle and
// scales it.
func scale(img image.Image, width, height int) image.Image {
	r := img.Bounds()
	w, h := r.Dx(), r.Dy()
	cut := image.Pt(w, h)
	if w*height > h*width {
		cut.X = max(1, h*width/height)
	} else {
		cut.Y = max(1, w*height/width)
	}
	from := r.Min.Add(image.Pt((w-cut.X)/2, (h-cut.Y)/2))
	out := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(out, out.Rect, img, image.Rectangle{from, from.Add(cut)}, draw.Src, nil)
	return out
}

// pixels normalises grey values.
func (p *Predictor) pixels(grey []byte) (Example, error) {
	if len(grey) == 0 {
		return Example{}, errors.New("there are no pixels")
	}
	o := data.PixelOptions{Mean: float32(p.Inputs.PixelNormalization[0]), Std: float32(p.Inputs.PixelNormalization[1])}
	set, err := data.NewPixels([][]byte{grey}, []int32{0}, o)
	if err != nil {
		return Example{}, err
	}
	batch, err := set.Collate([]int{0})
	if err != nil {
		return Example{}, err
	}
	e := Example{Values: batch.Samples}
	if n := len(e.Values); n > p.limit {
		if !p.Truncate {
			return e, tooLong("%d pixels, more than the %d that the model reads", n, p.limit)
		}
		e.Values, e.Truncated = e.Values[:p.limit], true
	}
	return e, nil
}

// wav reads a WAV file.
func (p *Predictor) wav(b []byte) (Example, error) {
	clip, err := audio.DecodeWAV(b, "")
	if err != nil {
		return Example{}, errors.New(strings.TrimPrefix(err.Error(), ": "))
	}
	return p.sound(audio.Resample(clip.Samples, clip.Rate, p.Inputs.Rate))
}

// sound makes samples as long as those of training and normalises them. It may
// change x.
func (p *Predictor) sound(x []float32) (Example, error) {
	if len(x) == 0 {
		return Example{}, errors.New("there are no samples")
	}
	var e Example
	if n := p.Inputs.Length; len(x) > n {
		if !p.Truncate {
			return e, tooLong("%.2f s of sound, more than the %.2f s that the model was trained on",
				float64(len(x))/float64(p.Inputs.Rate), float64(n)/float64(p.Inputs.Rate))
		}
		x, e.Truncated = x[:n], true
	}
	whole := make([]float32, p.Inputs.Length)
	copy(whole, x)
	p.Inputs.Normalization.Apply(whole)
	e.Values = whole
	return e, nil
}
