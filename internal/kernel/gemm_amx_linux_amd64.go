//go:build !purego

package kernel

import "syscall"

// allowTiles asks the system for room for the contents of tiles, which Linux gives to those
// who ask (Documentation/arch/x86/xstate.rst).
func allowTiles() bool {
	const (
		archRequestPermission = 0x1023
		tileData              = 18
	)
	_, _, errno := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, archRequestPermission, tileData, 0)
	return errno == 0
}
