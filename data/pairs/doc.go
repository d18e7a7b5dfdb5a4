// Package pairs holds the sentence pairs that a translator is trained on and
// evaluated with, and batches them (fairseq tasks/translation.py and
// data/language_pair_dataset.py).
//
// [OpenDir] finds the languages and dictionaries of a directory that `mega
// preprocess` or fairseq-preprocess has made, and [Dir.Open] opens a split of it.
// [New] takes sentences from memory. A [Sampler] says which pairs make up the
// batches of every epoch, in the reference's exact order, as a pure function of
// the epoch's number.
//
// Shape letters: B batch, S source length, T target length.
//
// The package never looks inside a model and computes no loss.
package pairs
