//go:build !unix

package main

import "os"

// saveRequests returns nil: there is no signal that asks for a checkpoint.
func saveRequests() <-chan os.Signal { return nil }
