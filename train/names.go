package train

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mega-go/mega/checkpoint"
)

// Names of checkpoints, the reference's without .pt (checkpoint_utils.py:49).
const (
	namePrefix = "checkpoint"
	lastName   = checkpoint.LastName
	bestName   = checkpoint.BestName
)

// The kinds of names. Of each but the first two several are kept.
const (
	lastKind     = "last"
	bestKind     = "best"
	topKind      = "top"      // key: value of the metric
	epochKind    = "epoch"    // key: epoch
	intervalKind = "interval" // key: update
)

// A savedName is one name of a saved directory.
type savedName struct {
	Name string  `json:"name"`
	Kind string  `json:"kind"`
	Key  float64 `json:"key"`
	Dir  string  `json:"directory"`
}

// names says what checkpoints a run keeps. It is part of the state, because a
// checkpoint and its names cannot change in one step: a run that is killed between
// the two corrects the names when it resumes.
type names []savedName

// set gives a directory a name, which any other loses.
func (n names) set(s savedName) names {
	for i, o := range n {
		if o.Name == s.Name {
			n = slices.Clone(n)
			n[i] = s
			return n
		}
	}
	return append(slices.Clip(n), s)
}

// keep drops all but count names of a kind, those with the largest keys, or
// with the smallest.
func (n names) keep(kind string, count int, smallest bool) names {
	var of names
	for _, s := range n {
		if s.Kind == kind {
			of = append(of, s)
		}
	}
	slices.SortStableFunc(of, func(a, b savedName) int {
		if smallest {
			return cmp.Compare(a.Key, b.Key)
		}
		return cmp.Compare(b.Key, a.Key)
	})
	if len(of) <= count {
		return n
	}
	dropped := of[count:]
	return slices.DeleteFunc(slices.Clone(n), func(s savedName) bool { return slices.Contains(dropped, s) })
}

// check fails on names and directories that a store would not give, which could
// lie anywhere.
func (n names) check() error {
	for _, s := range n {
		for name, prefix := range map[string]string{s.Name: namePrefix, s.Dir: checkpoint.SavedPrefix} {
			if !strings.HasPrefix(name, prefix) || filepath.Base(name) != name {
				return fmt.Errorf("state: %q is not the name of a checkpoint", name)
			}
		}
	}
	return nil
}

// directory returns the directory of a name, "" if there is none.
func (n names) directory(name string) string {
	for _, s := range n {
		if s.Name == name {
			return s.Dir
		}
	}
	return ""
}

// A savePoint says when a checkpoint is saved, and why.
type savePoint struct {
	dir            string // it is saved in
	epoch, updates int
	end            bool     // of the epoch
	interval       bool     // it is due by save_interval_updates
	best           *float64 // value of the metric, if it is the best so far
}

// after returns the names once the checkpoint of m is saved. The first is
// checkpoint_last, whose state holds the others.
func (n names) after(m savePoint, c *Config) names {
	n = n.set(savedName{lastName, lastKind, 0, m.dir})
	if m.end && !c.NoEpochCheckpoints && m.epoch%c.SaveInterval == 0 {
		n = n.set(savedName{fmt.Sprintf("checkpoint%d", m.epoch), epochKind, float64(m.epoch), m.dir})
	}
	if m.interval && !m.end {
		n = n.set(savedName{fmt.Sprintf("checkpoint_%d_%d", m.epoch, m.updates), intervalKind, float64(m.updates), m.dir})
	}
	if m.best != nil {
		n = n.set(savedName{bestName, bestKind, *m.best, m.dir})
		if c.KeepBestCheckpoints > 0 {
			name := fmt.Sprintf("checkpoint.best_%s_%.2f", c.BestCheckpointMetric, *m.best)
			n = n.set(savedName{name, topKind, *m.best, m.dir})
		}
	}
	if c.KeepLastEpochs > 0 {
		n = n.keep(epochKind, c.KeepLastEpochs, false)
	}
	if c.KeepIntervalUpdates > 0 {
		n = n.keep(intervalKind, c.KeepIntervalUpdates, false)
	}
	if c.KeepBestCheckpoints > 0 {
		n = n.keep(topKind, c.KeepBestCheckpoints, !c.MaximizeBestCheckpointMetric)
	}
	return n
}
