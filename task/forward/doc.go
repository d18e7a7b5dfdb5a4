// Package forward runs the model of any checkpoint on given tensors, so that a
// user can compare it with another implementation.
package forward
