package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// byteRunes are the characters that stand for bytes in tokens of bytes: printable
// ones for themselves, the others from U+0100 on (GPT-2's bytes_to_unicode).
var byteRunes, runeBytes = func() (to [256]rune, from map[rune]byte) {
	from = map[rune]byte{}
	next := rune(256)
	for b := range rune(256) {
		to[b] = b
		if b < '!' || '~' < b && b < '¡' || b == 0xad {
			to[b] = next
			next++
		}
		from[to[b]] = byte(b)
	}
	return to, from
}()

// fromBytes writes bytes as the characters that stand for them.
func fromBytes(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteRune(byteRunes[text[i]])
	}
	return b.String()
}

// appendBytes appends the bytes that characters stand for. Others stand for
// themselves.
func appendBytes(dst []byte, text string) []byte {
	for _, r := range text {
		if b, ok := runeBytes[r]; ok {
			dst = append(dst, b)
		} else {
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}
