// Package documents makes classification tasks of the files on a machine. It cuts
// windows of bytes out of the documents in directories; the task is to tell which
// class of documents a window comes from, or whether two windows come from one
// document.
//
// It splits documents, not windows, so that a model is tested on no document that
// it was trained on. A baseline that counts bytes and ignores their order shows how
// much a task demands.
package documents
