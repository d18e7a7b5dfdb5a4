package train

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestLinesOfARun(t *testing.T) {
	c := toyConfig()
	c.MaxUpdate, c.LogInterval = 14, 4
	var out strings.Builder
	if _, err := Run(context.Background(), newToy(), c, Options{Progress: &out}); err != nil {
		t.Fatal(err)
	}
	const metrics = `  loss [\d.]+  accuracy [\d.]+`
	training := metrics + `  lr [\d.e-]+  gnorm [\d.]+  [\d.]+[kM]? tokens/s\n`
	want := regexp.MustCompile(`^training  parameters 195\n` +
		`epoch 1  update 4/14` + training +
		`epoch 1  update 7/14  validation` + metrics + `(  best so far)?\n` +
		`epoch 2  update 8/14` + training +
		`epoch 2  update 12/14` + training +
		`epoch 2  update 14/14  validation` + metrics + `(  best so far)?\n` +
		`epoch 2  update 14/14` + training +
		`finished  because max_update 14 is reached  updates 14  time 0:00\n$`)
	if !want.MatchString(out.String()) {
		t.Errorf("got\n%s", out.String())
	}
}

// TestBar drives the bar of a terminal and sees that it neither hangs nor loses
// lines.
func TestBar(t *testing.T) {
	var out strings.Builder
	b := newBar(&out)
	for i := range 10 {
		b.update(i+1, 10, "  loss 1.5")
		b.interval("not shown")
	}
	b.busy("validating", 3, 7)
	b.line("a line")
	done := make(chan bool)
	go func() { b.close(); done <- true }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the bar does not end")
	}
	if got := out.String(); !strings.Contains(got, "a line\n") || strings.Contains(got, "not shown") {
		t.Errorf("got %q", got)
	}
}

func TestFormats(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 1.23456: "1.235", 63.2: "63.20", 1234.56: "1235", 0.00012345: "0.0001234", 1e-7: "1e-07", 123456: "1.23e+05", -2: "-2.000",
	} {
		if got := number(x); got != want {
			t.Errorf("number(%g) = %s, want %s", x, got, want)
		}
	}
	for x, want := range map[float64]string{950: "950", 12345: "12.3k", 2.5e6: "2.5M"} {
		if got := count(x); got != want {
			t.Errorf("count(%g) = %s, want %s", x, got, want)
		}
	}
	for x, want := range map[float64]string{0: "0:00", 59.6: "1:00", 3599: "59:59", 3600: "1:00:00", 90061: "25:01:01"} {
		if got := clock(x); got != want {
			t.Errorf("clock(%g) = %s, want %s", x, got, want)
		}
	}
}
