package classify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/audio"
	"github.com/mega-go/mega/internal/textfile"
)

// StreamOptions say how a stream is cut into windows.
type StreamOptions struct {
	// Window is the length of a window in bytes, words or samples; 0 takes as
	// many as the model reads, or was trained on.
	Window int
	// Stride is how far the next window begins; 0 means where the last ends.
	Stride int
	// PCM says that the sound is raw samples; nil means a WAV file.
	PCM *audio.PCM
	// Predict says what class a window is of; nil means the predictor's own.
	Predict func(Example) (Prediction, error)
}

// Stream reads a stream of any length window by window, in memory that does not
// grow with it, and calls use with what class each is of: bytes or words of a
// text, grey pixels of images one after the other, or samples of sound. The last
// window may be shorter; sound is then padded with silence. It ends at the first
// error.
func (p *Predictor) Stream(ctx context.Context, r io.Reader, o StreamOptions, use func(Prediction) error) error {
	if p.Pair() {
		return errors.New("the model reads pairs of texts, which no stream has")
	}
	if o.PCM != nil && p.Inputs.Kind != InputAudio {
		return fmt.Errorf("raw samples of sound, but the model reads %s", p.config.InputType)
	}
	o, err := p.streamOptions(o)
	if err != nil {
		return err
	}
	classify := func(offset int64, e Example, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		out, err := o.Predict(e)
		if err != nil {
			return err
		}
		out.Offset = &offset
		return use(out)
	}
	switch p.Inputs.Kind {
	case InputAudio:
		return p.streamSound(r, o, classify)
	case InputWords:
		return p.streamWords(r, o, classify)
	}
	in := bufio.NewReaderSize(r, 1<<16)
	read := func(dst []byte) (int, error) { return io.ReadFull(in, dst) }
	return windows(read, o, func(offset int64, w []byte) error {
		var e Example
		var err error
		if p.Inputs.Kind == InputImage {
			e, err = p.pixels(w)
		} else {
			e.Tokens, err = p.tokens(w, &e)
		}
		return classify(offset, e, err)
	})
}

// predictOne is Predict of one example.
func (p *Predictor) predictOne(e Example) (Prediction, error) {
	out, err := p.Predict([]Example{e})
	if err != nil {
		return Prediction{}, err
	}
	return out[0], nil
}

// streamOptions fills in the defaults.
func (p *Predictor) streamOptions(o StreamOptions) (StreamOptions, error) {
	most := p.limit
	switch p.Inputs.Kind {
	case InputAudio:
		most = p.Inputs.Length
	case InputBytes, InputWords:
		most-- // </s>
		if p.config.SenRepType == mega.SenRepCLS {
			most--
		}
	}
	if o.Window == 0 {
		o.Window = most
		if p.Inputs.Kind == InputImage {
			o.Window = min(most, p.Inputs.Width*p.Inputs.Height)
		}
	}
	if o.Stride == 0 {
		o.Stride = o.Window
	}
	if o.Predict == nil {
		o.Predict = p.predictOne
	}
	if o.Window < 1 || o.Window > most || o.Stride < 1 {
		return o, fmt.Errorf("windows of %d, every %d; want 1 to %d, and 1 or more", o.Window, o.Stride, most)
	}
	return o, nil
}

// streamSound cuts sound into windows.
func (p *Predictor) streamSound(r io.Reader, o StreamOptions, classify func(int64, Example, error) error) error {
	s, err := audio.NewStream(r, p.Inputs.Rate, o.PCM)
	if err != nil {
		return err
	}
	return windows(s.Read, o, func(offset int64, w []float32) error {
		e, err := p.sound(w)
		return classify(offset, e, err)
	})
}

// maxWord bounds the words of a stream.
const maxWord = 1 << 16

// separated makes spaces of the separators that Python splits words at and
// bufio.ScanWords does not.
type separated struct{ io.Reader }

func (s separated) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	for i, c := range p[:n] {
		if c < ' ' && textfile.IsSpace(rune(c)) {
			p[i] = ' '
		}
	}
	return n, err
}

// streamWords cuts text into windows of words.
func (p *Predictor) streamWords(r io.Reader, o StreamOptions, classify func(int64, Example, error) error) error {
	words := bufio.NewScanner(separated{r})
	words.Buffer(nil, maxWord)
	words.Split(bufio.ScanWords)
	listOps := p.listOps()
	read := func(dst []int32) (int, error) {
		n := 0
		for n < len(dst) && words.Scan() {
			word := words.Text()
			if listOps && (word == "(" || word == ")") {
				continue
			}
			dst[n] = p.dictionary.Index(word)
			n++
		}
		if errors.Is(words.Err(), bufio.ErrTooLong) {
			return n, fmt.Errorf("a word longer than %d bytes", maxWord)
		}
		return n, words.Err()
	}
	return windows(read, o, func(offset int64, w []int32) error {
		var e Example
		var ids []int32
		if p.config.SenRepType == mega.SenRepCLS {
			ids = append(ids, p.dictionary.Index(data.CLS))
		}
		var err error
		e.Tokens, err = p.finish(append(ids, w...), &e)
		return classify(offset, e, err)
	})
}

// windows calls use with the windows of what read gives, and where each begins.
// read fills as much as it can and returns how much; an error other than the end
// of input ends the windows. The last window is shorter if the stream ends in it; it is left
// out if the one before has all of it.
func windows[T any](read func(dst []T) (int, error), o StreamOptions, use func(offset int64, w []T) error) error {
	buffer := make([]T, o.Window)
	kept := 0
	for offset := int64(0); ; offset += int64(o.Stride) {
		n, err := read(buffer[kept:])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		if n == 0 && offset == 0 {
			return errors.New("the stream is empty")
		}
		if n == 0 {
			return nil
		}
		if err := use(offset, buffer[:kept+n]); err != nil {
			return err
		}
		if kept+n < o.Window {
			return nil
		}
		kept = max(0, o.Window-o.Stride)
		copy(buffer, buffer[o.Window-kept:])
		if err := skip(read, buffer[kept:], o.Stride-o.Window); err != nil {
			return err
		}
	}
}

// skip reads n numbers and forgets them; scratch is not empty.
func skip[T any](read func(dst []T) (int, error), scratch []T, n int) error {
	for n > 0 {
		m, err := read(scratch[:min(n, len(scratch))])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		if m == 0 {
			return nil
		}
		n -= m
	}
	return nil
}
