// Package blocks cuts a text into the blocks that a language model is trained
// and evaluated on, and batches them (fairseq data/token_block_dataset.py and
// data/monolingual_dataset.py, tasks/language_modeling.py).
//
// A text is a [lines.Lines]. [Cut] makes its [Blocks] for one epoch. [NewEpochs]
// says which blocks make up the batches of every epoch. [Documents] does the same
// for evaluation: a batch is read window by window ([Batch.Windows]), and the
// model's state is carried from one window to the next.
//
// Everything is a pure function of the text, the options and the epoch's number, so
// a run can resume anywhere.
//
// Shape letters: B batch, L length (padded to the longest of the batch).
//
// The package never looks inside a model and computes no loss.
package blocks
