package printable

import "regexp"

// long matches a text in quotes that nobody reads to its end. 1000 is the most
// that a pattern repeats.
var long = regexp.MustCompile(`"([^"\\]{60})[^"\\]{1000}[^"\\]*"`)

// Shorten cuts such texts, as bytes in JSON are.
func Shorten(s string) string { return long.ReplaceAllString(s, `"$1…"`) }
