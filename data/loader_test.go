package data

import (
	"io"
	"strings"
	"testing"
)

func fourSamples() Samples {
	return Samples{{Tokens: []int32{4}}, {Tokens: []int32{5}}, {Tokens: []int32{6}}, {Tokens: []int32{7}}}
}

func TestLoader(t *testing.T) {
	for _, ahead := range []int{0, 1, 10} {
		l := NewLoader(fourSamples(), [][]int{{3}, {0, 1}, {2}}, ahead)
		for _, want := range []int32{7, 4, 6} {
			b, err := l.Next()
			if err != nil || b.Tokens[0] != want {
				t.Fatalf("ahead %d: %v, %v; want a batch that begins with %d", ahead, b, err, want)
			}
		}
		for range 2 {
			if _, err := l.Next(); err != io.EOF {
				t.Errorf("after the end: %v, want io.EOF", err)
			}
		}
		l.Close()
	}
}

func TestLoaderError(t *testing.T) {
	l := NewLoader(fourSamples(), [][]int{{0}, {4}, {1}}, 2)
	defer l.Close()
	if _, err := l.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Next(); err == nil || !strings.Contains(err.Error(), "sample 4") {
		t.Errorf("error %v, want one about sample 4", err)
	}
	if _, err := l.Next(); err != io.EOF {
		t.Errorf("after an error: %v, want io.EOF", err)
	}
}

func TestLoaderClose(t *testing.T) {
	l := NewLoader(fourSamples(), [][]int{{0}, {1}, {2}, {3}}, 1)
	l.Close()
	l.Close()
	if _, err := l.Next(); err != io.EOF {
		t.Errorf("after Close: %v, want io.EOF", err)
	}
	for range l.ready { // ends only when the goroutine does
	}
}
