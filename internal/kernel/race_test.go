//go:build race

package kernel

// raceEnabled tells tests that the race detector is on: it slows plain Go down
// some tenfold, and sync.Pool drops what it is given now and then.
const raceEnabled = true
