package data

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// CheckClassWeights reports weights of classes that no data has: see ClassWeights.
func CheckClassWeights(spec []string) error {
	_, err := namedWeights(spec)
	return err
}

// ClassWeights returns what the loss of each class is multiplied by, or nil where
// spec is empty or "none". "balanced" gives every class the same part in the loss:
// n / (k·count) for n samples of k classes, of which count are the class's. Else
// spec is a list of CLASS=WEIGHT, and classes that it does not name have weight 1,
// as those without samples have.
func ClassWeights(spec, classes []string, counts []int) ([]float32, error) {
	named, err := namedWeights(spec)
	if err != nil || len(spec) == 0 || spec[0] == "none" {
		return nil, err
	}
	weights := slices.Repeat([]float32{1}, len(classes))
	if spec[0] == "balanced" {
		balance(weights, counts)
	}
	for name, weight := range named {
		i := slices.Index(classes, name)
		if i < 0 {
			return nil, fmt.Errorf("class_weights names class %.40q, but the data has %.200q", name, classes)
		}
		weights[i] = weight
	}
	return weights, nil
}

// balance sets the weights of the classes that have samples.
func balance(weights []float32, counts []int) {
	total, classes := 0, 0
	for _, n := range counts {
		total += n
		classes += min(n, 1)
	}
	for i, n := range counts {
		if n > 0 {
			weights[i] = float32(float64(total) / (float64(classes) * float64(n)))
		}
	}
}

// namedWeights parses a list of CLASS=WEIGHT; it has none of "none" and "balanced".
func namedWeights(spec []string) (map[string]float32, error) {
	if len(spec) == 1 && (spec[0] == "none" || spec[0] == "balanced") {
		return nil, nil
	}
	named := map[string]float32{}
	for _, item := range spec {
		at := strings.LastIndexByte(item, '=')
		if at < 0 {
			return nil, fmt.Errorf("class_weights has %.40q, want none, balanced, or CLASS=WEIGHT with commas between", item)
		}
		name := item[:at]
		weight, err := strconv.ParseFloat(item[at+1:], 32)
		if _, twice := named[name]; twice {
			return nil, fmt.Errorf("class_weights names class %.40q twice", name)
		}
		if err != nil || !(weight > 0) || math.IsInf(weight, 0) {
			return nil, fmt.Errorf("class_weights gives class %.40q the weight %.40q, want a number above 0", name, item[at+1:])
		}
		named[name] = float32(weight)
	}
	return named, nil
}
