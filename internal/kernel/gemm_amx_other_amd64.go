//go:build amd64 && !linux && !purego

package kernel

// allowTiles is for Linux, where tiles were tried.
func allowTiles() bool { return false }
