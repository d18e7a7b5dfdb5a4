// Package data turns text, pixels and sound into batches.
//
// A [Dataset] holds samples and collates any of them into a [Batch]. A [Sampler]
// says which samples make up the batches of an epoch, as a pure function of the
// epoch's number, so that a run can resume anywhere. The sub-packages know
// formats and sources: indexed is fairseq's binary .bin and .idx, audio reads WAV,
// listops and pathfinder generate their tasks, lra converts the original
// distributions.
//
// Shape letters: B batch, L length (padded to the longest of the batch).
//
// The package never looks inside a model and computes no loss.
package data
