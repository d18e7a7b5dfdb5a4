package data

import (
	"slices"
	"strings"
	"testing"
)

func TestClassWeights(t *testing.T) {
	classes, counts := []string{"ham", "a=b", "none"}, []int{6, 2, 0}
	for spec, want := range map[string][]float32{
		"": nil, "none": nil,
		"balanced":      {8.0 / 12, 2, 1},
		"a=b=2.5":       {1, 2.5, 1},
		"ham=0.5,a=b=3": {0.5, 3, 1},
	} {
		got, err := ClassWeights(strings.FieldsFunc(spec, func(c rune) bool { return c == ',' }), classes, counts)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", spec, got, err, want)
		}
	}
	for spec, want := range map[string]string{
		"spam=1":         `class_weights names class "spam", but the data has ["ham"`,
		"balanced,ham=1": `class_weights has "balanced", want none, balanced, or CLASS=WEIGHT`,
		"ham=0":          `gives class "ham" the weight "0", want a number above 0`,
		"ham=nan":        "want a number above 0",
		"ham=1e99":       "want a number above 0",
		"ham=1,ham=2":    `names class "ham" twice`,
	} {
		if _, err := ClassWeights(strings.Split(spec, ","), classes, counts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", spec, err, want)
		}
	}
}
