// Package task ties a data set, a model, a loss and metrics together for the
// trainer: classification, language modelling, translation. It also holds the
// recipes, whole training commands under a name.
//
// A new task is a new file here; the trainer knows none of them.
package task
