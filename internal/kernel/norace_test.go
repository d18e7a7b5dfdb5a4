//go:build !race

package kernel

// raceEnabled tells tests that the race detector is on.
const raceEnabled = false
