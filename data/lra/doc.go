// Package lra reads the tasks of the Long Range Arena as their authors
// distribute them (aclImdb, AAN pairs, ListOps tsv, CIFAR-10 binaries,
// Pathfinder images) and returns splits that data.WriteText and
// data.WritePixels put into the reference's layout, in the reference's order.
//
// The package reads files; it downloads nothing.
package lra
