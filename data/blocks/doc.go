// Package blocks cuts a text into the blocks that a language model is trained
// and evaluated on, and batches them (fairseq data/token_block_dataset.py and
// data/monolingual_dataset.py, tasks/language_modeling.py).
//
// A text is a [lines.Lines]. [Cut] makes the [Blocks] of one epoch of it,
// [NewEpochs] says which blocks make up the batches of every epoch, and
// [Documents] does the same for evaluation, where a batch is read window by
// window ([Batch.Windows]) with the model's state carried from one to the next.
//
// Everything is a pure function of text, options and the epoch's number, so a
// run resumes anywhere.
//
// Shape letters: B batch, L length (padded to the longest of the batch).
//
// The package never looks inside a model and never computes a loss.
package blocks
