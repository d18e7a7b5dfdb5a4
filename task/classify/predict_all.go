package classify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mega-go/mega/internal/textfile"
)

// Sources name inputs to classify.
type Sources struct {
	Texts []string // inputs themselves
	Paths []string // files; "-" is Stdin. Of a model of pairs two make an input
	List  string   // a file of paths, a line each; "-" is Stdin
	JSONL bool     // the files hold records, a line each, as those that end in .jsonl always do
	Stdin io.Reader
}

// PredictAll classifies all inputs, batch at a time, and calls use with each
// prediction in their order. It ends at the first error, after the predictions of the
// inputs before it.
func (p *Predictor) PredictAll(ctx context.Context, s Sources, batch int, use func(Prediction) error) error {
	var waiting []Example
	flush := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		out, err := p.Predict(waiting)
		waiting = waiting[:0]
		for i := 0; i < len(out) && err == nil; i++ {
			err = use(out[i])
		}
		return err
	}
	err := s.each(p, func(e Example) error {
		if waiting = append(waiting, e); len(waiting) < batch {
			return nil
		}
		return flush()
	})
	return errors.Join(flush(), err)
}

// each reads the inputs and calls use with each.
func (s Sources) each(p *Predictor, use func(Example) error) error {
	if err := s.eachText(p, use); err != nil {
		return err
	}
	if err := s.eachPath(p, s.Paths, use); err != nil || s.List == "" {
		return err
	}
	return s.eachLine(s.List, func(line []byte, _ int) error {
		path := string(line)
		if p.Pair() {
			return s.eachPath(p, strings.Split(path, "\t"), use)
		}
		return s.eachPath(p, []string{path}, use)
	})
}

func (s Sources) eachText(p *Predictor, use func(Example) error) error {
	step := 1
	if p.Pair() {
		step = 2
	}
	for i := 0; i < len(s.Texts); i += step {
		var texts [][]byte
		for _, text := range s.Texts[i:min(i+step, len(s.Texts))] {
			texts = append(texts, []byte(text))
		}
		if p.Inputs.Kind != InputBytes && p.Inputs.Kind != InputWords {
			return fmt.Errorf("a text, but the model reads %s", p.config.InputType)
		}
		e, err := p.Bytes(fmt.Sprintf("text %d", i/step+1), texts...)
		if err == nil {
			err = use(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s Sources) eachPath(p *Predictor, paths []string, use func(Example) error) error {
	for len(paths) > 0 {
		if s.JSONL || filepath.Ext(paths[0]) == ".jsonl" {
			if err := s.eachRecord(p, paths[0], use); err != nil {
				return err
			}
			paths = paths[1:]
			continue
		}
		n := 1
		if p.Pair() {
			n = min(2, len(paths))
		}
		e, err := s.read(p, paths[:n])
		if err == nil {
			err = use(e)
		}
		if err != nil {
			return err
		}
		paths = paths[n:]
	}
	return nil
}

func (s Sources) read(p *Predictor, paths []string) (Example, error) {
	if len(paths) == 1 && paths[0] == "-" {
		return p.Reader("-", s.Stdin)
	}
	return p.File(paths...)
}

// eachRecord reads a file of records.
func (s Sources) eachRecord(p *Predictor, path string, use func(Example) error) error {
	return s.eachLine(path, func(line []byte, number int) error {
		r, err := ParseRecord(line)
		if err != nil {
			return err
		}
		e, err := p.Record(r)
		if err != nil {
			return err
		}
		e.Name, e.ID = fmt.Sprintf("%s:%d", path, number), r.ID
		return use(e)
	})
}

// eachLine calls use with each line of a file that is not empty, and its number.
func (s Sources) eachLine(path string, use func(line []byte, number int) error) error {
	in := s.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	number := 0
	return textfile.EachLine(in, path, func(line []byte) error {
		number++
		if line = bytes.TrimFunc(line, textfile.IsSpace); len(line) == 0 {
			return nil
		}
		return use(line, number)
	})
}
