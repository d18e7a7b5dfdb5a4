package config

import (
	"errors"
	"io"
	"math"
	"testing"
)

func TestComplaints(t *testing.T) {
	var none, c Complaints
	none.Check(true, "no")
	none.Add(nil)
	none.Between("a", 2, 1, 2)
	none.AtLeast("a", 0, 0)
	none.NotNegative("a", 0)
	none.Probability("a", 0)
	none.OneOf("a", "x", "y", "x")
	if err := none.Err(); err != nil || !none.None() {
		t.Errorf("complaints of nothing: %v", err)
	}
	c.Check(false, "no %d", 1)
	c.Add(errors.Join(io.EOF, errors.New("no 1")))
	c.Between("a", 3, 1, 2)
	c.AtLeast("b", -1, 0)
	c.NotNegative("c", math.NaN())
	c.Probability("d", 1)
	c.OneOf("e", "z", "y", "x")
	const want = `no 1; EOF; a is 3, want 1 to 2; b is -1, want 0 or more; ` +
		`c is NaN, want a finite number of 0 or more; d is 1, want at least 0 and less than 1; e is "z", want one of y, x`
	if err := c.Err(); c.None() || err.Error() != want || !errors.Is(err, io.EOF) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
