// Package data turns text, pixels and sound into batches.
//
// A [Dataset] holds samples and collates any of them into a [Batch]; a
// [Sampler] says which samples make up the batches of an epoch, as a pure
// function of its number, so that a run resumes anywhere. The sub-packages know
// the formats: indexed is fairseq's binary .bin and .idx, audio reads WAV,
// listops and pathfinder generate their tasks, lra converts the original
// distributions.
//
// Shape letters: B batch, L length (padded to the longest of the batch).
//
// The package never looks inside a model and never computes a loss.
package data
