// Package plaintext turns plain text into the ids of a dictionary and back, the
// way the model of that dictionary reads text: byte by byte if the dictionary's
// words are the numbers of bytes, otherwise by words with white space between,
// where a line ends in </s>.
//
// It never parts words into pieces: text for a model of pieces comes in pieces.
package plaintext
