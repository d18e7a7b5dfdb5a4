// Package documents makes tasks of the files that a machine has: it cuts
// windows of bytes out of documents in directories, to tell which class of
// documents a window comes from, or whether two come from one document.
//
// Documents are split, not windows: none of those that a model is tested on
// was trained on. A baseline that counts bytes and knows nothing of their order
// says how much a task asks for.
package documents
