package tensor

import (
	"testing"

	"pgregory.net/rapid"
)

func TestColumnsShareStorage(t *testing.T) {
	x := New(3, 4, 5)
	v := x.Columns(1, 3)
	if v.Rows() != 12 || v.Cols() != 2 || v.Stride() != 5 || v.Contiguous() {
		t.Fatalf("columns: rows %d cols %d stride %d", v.Rows(), v.Cols(), v.Stride())
	}
	v.Row(11)[1] = 7
	if x.Row(11)[2] != 7 {
		t.Error("a column view does not share its storage")
	}
	c := v.Clone()
	if !c.Contiguous() || c.Row(11)[1] != 7 {
		t.Error("clone of a view is not a contiguous copy")
	}
	v.Zero()
	if x.Row(11)[2] != 0 {
		t.Error("Zero of a view left an element")
	}
}

func TestColumnsOfNoRows(t *testing.T) {
	if v := New(0, 4).Columns(2, 4); v.Len() != 0 {
		t.Errorf("got %d elements of no rows", v.Len())
	}
}

func TestPoolReuses(t *testing.T) {
	var p Pool
	a := p.Get(10, 10)
	a.Zero()
	p.Put(a)
	held := p.Held()
	for range 100 {
		p.Put(p.Get(100))
	}
	if p.Held() != held {
		t.Errorf("pool grew from %d to %d elements", held, p.Held())
	}
	p.Trim()
	if p.Held() != 0 {
		t.Errorf("%d elements held after Trim", p.Held())
	}
}

func TestClassWastesAtMostAnEighth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1<<40).Draw(t, "n")
		slot, c := class(n)
		if c < n || c-n > n/8 {
			t.Fatalf("class(%d) = %d", n, c)
		}
		if again, same := class(c); again != slot || same != c {
			t.Fatalf("class is not idempotent: %d of slot %d, %d of slot %d", c, slot, same, again)
		}
	})
}

func TestShapeErrorsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"wrong size": func() { FromSlice(make([]float32, 3), 2, 2) },
		"negative":   func() { New(2, -1) },
		"columns":    func() { New(2, 2).Columns(1, 3) },
		"reshape":    func() { New(2, 4).Columns(0, 2).Reshape(4) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
