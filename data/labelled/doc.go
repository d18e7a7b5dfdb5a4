// Package labelled reads labelled samples from files as they lie: tables of texts
// or of numbers, arrays of numpy, and folders named for their classes with a file
// a sample, texts or recordings. It divides them into parts to train, validate and
// test on, and says what it understood.
//
// The package knows raw samples and labels; it never says how a model reads them.
package labelled
