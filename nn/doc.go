// Package nn holds the layers that are not Mega's own (linear maps, norms,
// embeddings, relative position biases, dropout and losses) and the set of
// named parameters that a model consists of.
//
// Layers hold parameters and call operations of autograd. They never look at a
// tensor's numbers and know no file format.
package nn
