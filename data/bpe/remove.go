package bpe

import (
	"strings"
	"unicode"
)

// space is how SentencePiece writes a space.
const space = "\u2581"

// Remove joins the subwords of a sentence to words (--remove-bpe, fairseq
// data/data_utils.py:282). symbol says how they were made: "@@ " or "subword_nmt" is
// byte pair encoding, whose marker is removed; others are "sentencepiece",
// "wordpiece", "letter" and "_EOW"; "none" or nothing leaves the sentence as it is.
// Any other symbol is removed like a marker.
func Remove(sentence, symbol string) string {
	switch symbol {
	case "", "none":
		return sentence
	case "sentencepiece":
		return respace(sentence, space)
	case "wordpiece":
		return respace(sentence, "_")
	case "letter":
		return respace(sentence, "|")
	case "_EOW":
		return respace(sentence, "_EOW")
	case "subword_nmt":
		symbol = Marker + " "
	}
	return strings.TrimRightFunc(strings.ReplaceAll(sentence+" ", symbol, ""), isSpace)
}

// respace drops spaces and writes a space where symbol stands.
func respace(sentence, symbol string) string {
	sentence = strings.ReplaceAll(sentence, " ", "")
	return strings.TrimFunc(strings.ReplaceAll(sentence, symbol, " "), isSpace)
}

// isSpace is Python's str.isspace.
func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }
