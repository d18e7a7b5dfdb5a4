// Package generate makes texts with a model that says, token by token, what may
// come next: beam search and its diverse variants, and sampling, for
// translations and for language models alike (fairseq search.py and
// sequence_generator.py).
//
// A [Searcher] asks no more of a model than [Model] does: to read one token of
// each of several texts, and to reorder them. Sessions of the root package do
// both. [Ensemble] makes one model of several.
//
// The package knows no words: tokens are ids, of which </s> ends a text and
// <pad> is never chosen. It never reads files and never computes a layer.
package generate
