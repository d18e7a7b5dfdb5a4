package driver

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// An Error is a call of the driver that failed.
type Error struct {
	Device string // such as "cuda:0 (NVIDIA H200)", empty before one is chosen
	Step   string // what was to be done, such as "loading the kernels"
	Call   string // the function of the driver
	Code   int    // what it returned, with the driver's name of it and its words
	Name   string
	Text   string
	Driver string // the library and its version
	Detail string // what else is known, or what to do about it
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("cuda: ")
	if e.Device != "" {
		b.WriteString(e.Device + ": ")
	}
	fmt.Fprintf(&b, "%s: %s returned %d", e.Step, e.Call, e.Code)
	if e.Name != "" {
		fmt.Fprintf(&b, " (%s: %s)", e.Name, e.Text)
	}
	b.WriteString("; " + e.Driver)
	if e.Detail != "" {
		b.WriteString("; " + e.Detail)
	}
	return b.String()
}

// ErrClosed is what Run returns once the device is closed.
var ErrClosed = errors.New("cuda: the device is closed")

// advice says what to do about some results.
var advice = map[result]string{
	stubLibrary: "this is the stub of a CUDA toolkit, not a driver: " + LibraryVariable + " names the driver's library",
	noDevice:    "the driver sees no GPU: CUDA_VISIBLE_DEVICES may hide it, or a container was started without it",
	noBinary:    "the kernels are not for this GPU",
	newerPTX:    "a newer driver is needed",
	busyDevice:  "another process has the GPU for itself",
	wrongDriver: "the library and the kernel's module of the driver are of different versions, as after an update: restart the machine",
}

// fail returns the error that a call's result stands for, nil for success.
func (d *Driver) fail(device, step, call string, code result, detail string) error {
	if code == success {
		return nil
	}
	if detail == "" {
		detail = advice[code]
	}
	return &Error{Device: device, Step: step, Call: call, Code: int(code), Name: describe(d.calls.errorName, code),
		Text: describe(d.calls.errorText, code), Driver: d.String(), Detail: detail}
}

// describe asks the driver for a text about a result, which is empty if it has none.
func describe(ask func(result, **byte) result, code result) string {
	var text *byte
	if ask(code, &text) != success || text == nil {
		return ""
	}
	const longest = 1 << 10
	n := 0
	for n < longest && *(*byte)(unsafe.Add(unsafe.Pointer(text), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(text, n))
}
