// Package classify trains classifiers of sequences (bytes, words, pixels, samples
// of sound), evaluates them, and labels raw inputs with them.
package classify
