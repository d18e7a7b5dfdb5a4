// Package numbers makes a small translation task: the names of whole numbers up to a
// million in English and in German, split into words. Word order differs (forty two,
// zwei und vierzig), so a model has to align. There are fewer than sixty words, so it
// learns in minutes.
package numbers

import "strings"

// Max is the greatest number that has a name here.
const Max = 1_000_000

const (
	thousand = 1000
	hundred  = 100
)

var english = names{
	small: strings.Fields("zero one two three four five six seven eight nine ten eleven twelve " +
		"thirteen fourteen fifteen sixteen seventeen eighteen nineteen"),
	tens: strings.Fields("ten twenty thirty forty fifty sixty seventy eighty ninety"),
}

var german = names{
	small: strings.Fields("null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf " +
		"dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"),
	tens: strings.Fields("zehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"),
}

// names are the words that numbers are made of: those of 0 to 19 and those of
// 10, 20, … 90.
type names struct{ small, tens []string }

// English returns the English name of n, which must be from 0 to Max: "two
// hundred and one thousand forty two".
func English(n int) string { return strings.Join(englishWords(nil, n), " ") }

// German returns the German name of n, which must be from 0 to Max, split into
// words: "zwei hundert ein tausend zwei und vierzig".
func German(n int) string { return strings.Join(germanWords(nil, n, "eins"), " ") }

func englishWords(words []string, n int) []string {
	switch {
	case n == Max:
		return append(words, "one", "million")
	case n >= thousand:
		words = append(englishWords(words, n/thousand), "thousand")
		return englishRest(words, n%thousand)
	case n >= hundred:
		words = append(words, english.small[n/hundred], "hundred")
		if n%hundred > 0 {
			words = append(words, "and")
		}
		return englishRest(words, n%hundred)
	case n >= len(english.small):
		return englishRest(append(words, english.tens[n/10-1]), n%10)
	}
	return append(words, english.small[n])
}

// englishRest appends what follows a greater part: nothing for 0.
func englishRest(words []string, n int) []string {
	if n == 0 {
		return words
	}
	return englishWords(words, n)
}

// germanWords takes the form of a last one: eins at the end, ein before another
// word.
func germanWords(words []string, n int, one string) []string {
	switch {
	case n == Max:
		return append(words, "eine", "million")
	case n >= thousand:
		words = append(germanWords(words, n/thousand, "ein"), "tausend")
		return germanRest(words, n%thousand, one)
	case n >= hundred:
		words = append(germanWords(words, n/hundred, "ein"), "hundert")
		return germanRest(words, n%hundred, one)
	case n >= len(german.small):
		if n%10 > 0 {
			words = append(germanWords(words, n%10, "ein"), "und")
		}
		return append(words, german.tens[n/10-1])
	case n == 1:
		return append(words, one)
	}
	return append(words, german.small[n])
}

func germanRest(words []string, n int, one string) []string {
	if n == 0 {
		return words
	}
	return germanWords(words, n, one)
}
