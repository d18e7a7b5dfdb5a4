package audio

import (
	"cmp"
	"math"
	"slices"

	"github.com/mega-go/mega/data/mt19937"
)

// referenceSplit divides samples 70/15/15 into training, validation and test
// indices, each class in the same shares, as the reference does with two calls
// of sklearn's train_test_split (data/audio/speech_commands_dataset.py:116-140).
// labels are 0 to classes-1.
func referenceSplit(labels []int, classes int) (train, valid, test []int) {
	n := len(labels)
	size := int(math.Floor(0.7 * float64(n)))
	train, rest := stratify(labels, classes, size, n-size, mt19937.New(0))
	restLabels := make([]int, len(rest))
	for i, j := range rest {
		restLabels[i] = labels[j]
	}
	half := len(rest) / 2
	valid, test = stratify(restLabels, classes, half, len(rest)-half, mt19937.New(1))
	for _, part := range [][]int{valid, test} {
		for i, j := range part {
			part[i] = rest[j]
		}
	}
	return train, valid, test
}

// stratify draws two disjoint sets of indices of the given sizes, in random
// order, with the classes in the shares they have in labels
// (sklearn.model_selection.StratifiedShuffleSplit).
func stratify(labels []int, classes, first, second int, r *mt19937.Source) (a, b []int) {
	members := make([][]int, classes)
	for i, label := range labels {
		members[label] = append(members[label], i)
	}
	counts := make([]int, classes)
	for c := range counts {
		counts[c] = len(members[c])
	}
	fromA := apportion(counts, first, r)
	for c := range counts {
		counts[c] -= fromA[c]
	}
	fromB := apportion(counts, second, r)
	for c := range members {
		for k, p := range r.Permutation(len(members[c])) {
			switch {
			case k < fromA[c]:
				a = append(a, members[c][p])
			case k < fromA[c]+fromB[c]:
				b = append(b, members[c][p])
			}
		}
	}
	r.Shuffle(len(a), func(i, j int) { a[i], a[j] = a[j], a[i] })
	r.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
	return a, b
}

// apportion divides n draws among classes by their counts: the whole parts
// first, then one each to the largest remainders, ties by lot (sklearn's
// _approximate_mode).
func apportion(counts []int, n int, r *mt19937.Source) []int {
	total := 0
	for _, c := range counts {
		total += c
	}
	shares := make([]int, len(counts))
	remainders := make([]float64, len(counts))
	missing := n
	for c := range counts {
		exact := float64(counts[c]) / float64(total) * float64(n)
		shares[c] = int(math.Floor(exact))
		remainders[c] = exact - math.Floor(exact)
		missing -= shares[c]
	}
	values := slices.Clone(remainders)
	slices.SortFunc(values, func(a, b float64) int { return cmp.Compare(b, a) })
	for _, value := range slices.Compact(values) {
		if missing <= 0 {
			break
		}
		var tied []int
		for c, v := range remainders {
			if v == value {
				tied = append(tied, c)
			}
		}
		take := min(len(tied), missing)
		for _, p := range r.Permutation(len(tied))[:take] {
			shares[tied[p]]++
		}
		missing -= take
	}
	return shares
}
