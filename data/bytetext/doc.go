// Package bytetext is text without words: every byte is a token.
//
// [Dictionary] is the vocabulary of plain byte text. A [Codec] translates
// between bytes and the ids of that or of any dictionary whose words are the
// decimal numbers of bytes, as those of enwik8 are. [Open] gives a file to
// package blocks as it lies on disk, with no preprocessing; [Enwik8] does the
// preprocessing by which published results on enwik8 were made.
package bytetext
