// Package spell finds the known word that an unknown one was probably meant to
// be, for error messages. It suggests and never corrects.
package spell

// Nearest returns the candidate with the fewest edits from word, the first of
// equals, or "" if none is near: a third of the word's letters may differ, or one.
func Nearest(word string, candidates []string) string {
	best, distance := "", max(1, (len(word)+1)/3)+1
	for _, c := range candidates {
		if len(c)-len(word) >= distance || len(word)-len(c) >= distance {
			continue // as many edits at least; of long words they cost much to count
		}
		if d := edits(word, c); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
