package main

import (
	"strings"
	"testing"
	"time"
)

// TestJoinTimeout: the flag is found in a command line, and commands that several processes
// share take it.
func TestJoinTimeout(t *testing.T) {
	for line, want := range map[string]time.Duration{
		"":                                       300 * time.Second,
		"train --join-timeout 7":                 7 * time.Second,
		"eval --join-timeout=8 runs/x":           8 * time.Second,
		"eval --join-timeout 1 --join-timeout 9": 9 * time.Second,
		"eval --join-timeout 0":                  0,
		"eval --join-timeout x":                  300 * time.Second,
		"eval --join-timeout -1":                 300 * time.Second,
		"eval --join-timeout=10000000000":        300 * time.Second,
		"eval --join-timeout 1073741824":         1 << 30 * time.Second,
		"eval --join-timeout":                    300 * time.Second,
		"generate -- --join-timeout=4":           300 * time.Second,
		"generate --join-timeouts=4":             300 * time.Second,
	} {
		if got := joinTimeoutIn(strings.Fields(line)); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
	for _, cmd := range newRoot().Commands() {
		shared := false
		for _, name := range sharing {
			shared = shared || name == cmd.Name() && name != "version" && name != "help"
		}
		if has := cmd.Flags().Lookup(joinTimeout) != nil; has != shared {
			t.Errorf("mega %s has --%s: %v, want %v", cmd.Name(), joinTimeout, has, shared)
		}
	}
}
