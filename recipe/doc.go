// Package recipe holds whole training commands under a name: the published ones
// and short ones of our own.
package recipe
