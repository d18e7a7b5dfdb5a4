// Package generate makes texts with a model that says, token by token, what may
// come next. It has beam search with its diverse variants, and sampling, for
// translations and for language models alike (fairseq search.py and
// sequence_generator.py).
//
// A [Searcher] needs a [Model] to do two things: to read one token of each of
// several texts, and to reorder the texts. Sessions of the root package do both.
// [Ensemble] makes one model of several.
//
// The package knows no words: tokens are ids, of which </s> ends a text and
// <pad> is never chosen. It reads no files and computes no layer.
package generate
