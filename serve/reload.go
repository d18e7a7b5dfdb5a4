package serve

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mega-go/mega/checkpoint"
)

// fingerprint tells whether what a model is made of has changed: the checkpoint that
// its path stands for now, and the names, sizes and times of its files.
func (m Model) fingerprint() (string, error) {
	c, err := checkpoint.Open(m.Path)
	if err != nil {
		return "", err
	}
	path := c.Path
	if err := c.Close(); err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil { // a part of an archive
		path = m.Path
		if archive, _, ok := checkpoint.SplitArchivePath(path); ok {
			path = archive
		}
	}
	var mark strings.Builder
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			fmt.Fprintf(&mark, "%s %d %d\n", p, info.Size(), info.ModTime().UnixNano())
		}
		return err
	})
	return mark.String(), err
}

// An attempt is a load of files that failed.
type attempt struct {
	mark  string // the fingerprint of the files, "" for no attempt
	err   error
	pause time.Duration // until the next
	next  time.Time
}

// longestPause is how long files that could not be loaded are left alone at most.
const longestPause = 5 * time.Minute

// again returns the attempt after one more failure. A load takes time and memory, and what
// failed once may well fail again, so the same files are tried ever more seldom, but never
// given up: memory may have run out, or a dictionary be mended that lies elsewhere.
func (a attempt) again(mark string, err error, pause time.Duration) attempt {
	if a.mark == mark {
		pause = max(pause, 2*a.pause)
	}
	pause = min(pause, longestPause)
	return attempt{mark, err, pause, time.Now().Add(pause)}
}

// reload loads the model again if what it is made of has changed, and then returns the old
// one, to be closed. Requests that use that keep it until they are answered. Files that
// could not be loaded give the same error until their next attempt is due.
func (s *slot) reload(o Options, log *slog.Logger) (old *loaded, err error) {
	mark, err := s.fingerprint()
	if err != nil {
		return nil, err
	}
	if mark == s.mark {
		s.failed = attempt{}
		return nil, nil
	}
	if s.failed.mark == mark && time.Now().Before(s.failed.next) {
		return nil, s.failed.err
	}
	next, err := s.load(o, log)
	if err != nil {
		s.failed = s.failed.again(mark, err, o.Reload)
		return nil, err
	}
	s.failed = attempt{}
	s.mu.Lock()
	defer s.mu.Unlock()
	old = s.current
	s.current, s.mark = next, mark
	return old, nil
}

// setStale says why the newest files could not be loaded, nil if they are loaded, and reports
// whether that is news.
func (s *slot) setStale(err error) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news = err != nil && (s.stale == nil || s.stale.Error() != err.Error())
	s.stale = err
	return news
}

// isStale reports whether the model is an older one than is there now.
func (s *slot) isStale() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stale != nil
}

// watch reloads models whose checkpoints change, until ctx ends.
func (s *Server) watch(ctx context.Context) {
	tick := time.NewTicker(s.options.Reload)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, m := range s.slots {
			old, err := m.reload(s.options, s.log)
			if m.setStale(err) {
				s.log.Warn("a model that changed cannot be loaded; the one before stays", "model", m.ID, "error", err)
				s.metrics.reload(m.ID, false)
			}
			if old != nil {
				s.working.Go(old.close) // the server ends, and with it the device's loop, after it
				s.log.Info("a model was loaded again", "model", m.ID)
				s.metrics.reload(m.ID, true)
			}
		}
	}
}
