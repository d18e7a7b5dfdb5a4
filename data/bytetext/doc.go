// Package bytetext is text without words: every byte is a token.
//
// [Dictionary] is the vocabulary of plain byte text. A [Codec] converts between
// bytes and the ids of any dictionary whose words are the decimal numbers of bytes,
// such as that one or enwik8's. [Open] gives a file to package blocks as it lies on
// disk, without preprocessing. [Enwik8] does the preprocessing that published
// results on enwik8 rest on.
package bytetext
