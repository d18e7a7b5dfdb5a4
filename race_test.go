//go:build race

package mega_test

// raceEnabled: the race detector makes pools forget, so that they allocate.
const raceEnabled = true
