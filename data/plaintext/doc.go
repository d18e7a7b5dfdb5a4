// Package plaintext converts plain text to the ids of a dictionary and back, in the
// way that the dictionary's model reads text: byte by byte if the dictionary's words
// are the numbers of bytes, otherwise by words with white space between them, where a
// line ends in </s>.
//
// It does not split words into pieces: text for a model of pieces must come in pieces.
package plaintext
