//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// saveRequests returns the signals that ask training for a checkpoint: clusters send
// SIGUSR1 some time before they end a job.
func saveRequests() <-chan os.Signal {
	requests := make(chan os.Signal, 1)
	signal.Notify(requests, syscall.SIGUSR1)
	return requests
}
