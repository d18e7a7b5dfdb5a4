package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// Off a terminal there is a line only now and then.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	m := New(&out, "reading", "bytes")
	defer m.Close()
	m.Show(1, 100)
	if out.Len() > 0 {
		t.Errorf("at once: %q", out.String())
	}
	m.next = time.Now().Add(-time.Second)
	m.Show(25, 100)
	m.Show(26, 100)
	if want := "reading: 25 of 100 bytes (25%)\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

// A screen is a terminal that keeps what is shown.
type screen struct {
	width  int
	lines  []string // the last is being written
	column int
}

func (s *screen) Write(p []byte) (int, error) {
	for _, c := range string(p) {
		last := &s.lines[len(s.lines)-1]
		switch {
		case c == '\r':
			s.column = 0
		case c == '\n':
			s.lines, s.column = append(s.lines, ""), 0
		case s.column == s.width:
			s.lines, s.column = append(s.lines, string(c)), 1
		default:
			*last = (*last)[:s.column] + string(c) + (*last)[min(s.column+1, len(*last)):]
			s.column++
		}
	}
	return len(p), nil
}

// shown returns the lines without trailing spaces.
func (s *screen) shown() string {
	var lines []string
	for _, line := range s.lines {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.Join(lines, "\n")
}

// A bar is one line whatever the width, with what matters most, and leaves none
// behind, nor what was echoed for Ctrl-C.
func TestBar(t *testing.T) {
	for width, want := range map[int]string{
		20:  "update 1200/3000",
		40:  "update 1200/3000 [======         ]  40%",
		60:  "update 1200/3000 [===      ]  40%  1:02:03 left  loss 2.948",
		80:  "update 1200/3000 [=====        ]  40%  1:02:03 left  loss 2.948  accuracy 27.28",
		120: "update 1200/3000 [=========               ]  40%  1:02:03 left  loss 2.948  accuracy 27.28  lr 0.003300  29k tokens/s",
	} {
		s := &screen{width: width, lines: []string{""}}
		b := &Bar{w: s, width: func() int { return s.width }}
		b.Show("update 1200/3000", 1200, 3000, "1:02:03 left", "loss 2.948", "accuracy 27.28", "lr 0.003300", "29k tokens/s")
		if got := s.shown(); got != want {
			t.Errorf("%d columns: %q, want %q", width, got, want)
		}
		s.Write([]byte("^C"))
		b.Print("a line\x1b")
		b.drawn = time.Time{}
		b.Show("no total", 3, 0, "loss 1")
		if got, want := s.shown(), "a line\\u001b\n"+map[bool]string{true: "no total", false: "no total  loss 1"}[width == 20]; got != want {
			t.Errorf("%d columns: %q, want %q", width, got, want)
		}
		b.Close()
		if got, want := s.shown(), "a line\\u001b\n"; got != want || s.column != 0 {
			t.Errorf("%d columns: %q is left, want %q", width, got, want)
		}
	}
}

// A long line ends between its parts.
func TestPrintFits(t *testing.T) {
	for width, want := range map[int]string{
		80: "epoch 12  update 12/60  validation  loss 0.7344  accuracy 75.00  best so far\n",
		60: "epoch 12  update 12/60  validation  loss 0.7344\n  accuracy 75.00  best so far\n",
		8:  "epoch 12\n  update 12/60\n  validation\n  loss 0.7344\n  accuracy 75.00\n  best so far\n",
	} {
		var out strings.Builder
		b := &Bar{w: &out, width: func() int { return width }}
		b.Print("epoch 12  update 12/60  validation  loss 0.7344  accuracy 75.00  best so far")
		if got, _, _ := strings.Cut(out.String(), "\r"); got != want {
			t.Errorf("%d columns: %q", width, got)
		}
	}
}

func TestFormats(t *testing.T) {
	for x, want := range map[float64]string{0: "0:00", 59.6: "1:00", 3599: "59:59", 3600: "1:00:00", 90061: "25:01:01"} {
		if got := Clock(x); got != want {
			t.Errorf("Clock(%g) = %s, want %s", x, got, want)
		}
	}
	for x, want := range map[float64]string{950: "950", 12345: "12.3k", 2.5e6: "2.5M"} {
		if got := Count(x); got != want {
			t.Errorf("Count(%g) = %s, want %s", x, got, want)
		}
	}
}
