package documents

import (
	"cmp"
	"iter"
	"math"
	"slices"
)

// Counts is how often a text has each byte.
type Counts [256]float64

func count(text []byte) (c Counts) {
	for _, b := range text {
		c[b]++
	}
	return c
}

// Baseline returns the share of test samples, 0 to 1, that counting bytes gets
// right without regard to their order: multinomial naive Bayes of windows; of
// pairs, the threshold on the similarity of their counts that does best on the
// training samples.
func Baseline(train, test iter.Seq[Sample], pairs bool) float64 {
	if pairs {
		threshold := bestThreshold(train)
		return accuracy(test, func(s Sample) string {
			if similarity(s) >= threshold {
				return "1"
			}
			return "0"
		})
	}
	bayes := fitBayes(train)
	return accuracy(test, func(s Sample) string { return bayes.class(s.Text) })
}

func accuracy(samples iter.Seq[Sample], predict func(Sample) string) float64 {
	right, all := 0, 0
	for s := range samples {
		all++
		if predict(s) == s.Label {
			right++
		}
	}
	return float64(right) / float64(max(all, 1))
}

// bayes holds, for each class, the logarithm of each byte's frequency.
type bayes struct {
	labels []string
	logs   []Counts
}

// fitBayes counts bytes by class, one more of each than there are. Classes are
// drawn equally often, so that they have the same prior.
func fitBayes(samples iter.Seq[Sample]) *bayes {
	b := &bayes{}
	for s := range samples {
		i := slices.Index(b.labels, s.Label)
		if i < 0 {
			i = len(b.labels)
			b.labels, b.logs = append(b.labels, s.Label), append(b.logs, Counts{})
		}
		for _, c := range s.Text {
			b.logs[i][c]++
		}
	}
	for i := range b.logs {
		total := 256.0
		for _, n := range b.logs[i] {
			total += n
		}
		for c, n := range b.logs[i] {
			b.logs[i][c] = math.Log((n + 1) / total)
		}
	}
	return b
}

// class returns the class under which a text is most probable.
func (b *bayes) class(text []byte) string {
	best, label := math.Inf(-1), ""
	counts := count(text)
	for i, logs := range b.logs {
		sum := 0.0
		for c, n := range counts {
			sum += n * logs[c]
		}
		if sum > best {
			best, label = sum, b.labels[i]
		}
	}
	return label
}

// similarity returns the cosine of the roots of a pair's counts, 1 where their
// bytes are distributed alike (the Bhattacharyya coefficient).
func similarity(s Sample) float64 {
	a, b := count(s.Text), count(s.Pair)
	sum := 0.0
	for i := range a {
		sum += math.Sqrt(a[i] * b[i])
	}
	return sum / math.Sqrt(float64(len(s.Text))*float64(len(s.Pair)))
}

// bestThreshold returns the similarity from which on pairs are called equal
// that gets most samples right.
func bestThreshold(samples iter.Seq[Sample]) float64 {
	type scored struct {
		similarity float64
		same       bool
	}
	var all []scored
	for s := range samples {
		all = append(all, scored{similarity(s), s.Label == "1"})
	}
	slices.SortFunc(all, func(a, b scored) int { return cmp.Compare(b.similarity, a.similarity) })
	right, most, threshold := 0, 0, math.Inf(1)
	for _, s := range all {
		if s.same {
			right++
		} else {
			right--
		}
		if right > most {
			most, threshold = right, s.similarity
		}
	}
	return threshold
}
