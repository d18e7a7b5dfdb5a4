package train

import (
	"context"
	"regexp"
	"strings"
	"testing"
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

func TestFormats(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 1.23456: "1.235", 63.2: "63.20", 1234.56: "1235", 0.00012345: "0.0001234", 1e-7: "1e-07", 123456: "1.23e+05", -2: "-2.000",
	} {
		if got := number(x); got != want {
			t.Errorf("number(%g) = %s, want %s", x, got, want)
		}
	}
}
