package train

import "strings"

// Subsets parts a list of splits at its commas.
func Subsets(list string) []string {
	subsets := strings.Split(list, ",")
	for i, s := range subsets {
		subsets[i] = strings.TrimSpace(s)
	}
	return subsets
}

// subsetMetric returns the name of a metric of subset i: its own for the first
// subset, which says which checkpoint is best (fairseq_cli/train.py:276), and
// SUBSET_METRIC for others.
func subsetMetric(subsets []string, i int, name string) string {
	if i == 0 {
		return name
	}
	return subsets[i] + "_" + name
}

// SubsetMetrics returns the names of the metrics of some subsets.
func SubsetMetrics(subsets []string, names ...string) (all []string) {
	for i := range subsets {
		for _, name := range names {
			all = append(all, subsetMetric(subsets, i, name))
		}
	}
	return all
}

// MeasureSubsets measures subsets one after another, in their order.
func MeasureSubsets(subsets []string, measure func(i int) (Metrics, error)) (Metrics, error) {
	all := Metrics{}
	for i := range subsets {
		m, err := measure(i)
		if err != nil {
			return nil, err
		}
		for name, x := range m {
			all[subsetMetric(subsets, i, name)] = x
		}
	}
	return all, nil
}
