package serve

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/mega-go/mega/train"
)

// metricsFile is where a run directory keeps its records (package train).
const metricsFile = "metrics.jsonl"

// runInfo is what GET /runs says of a run.
type runInfo struct {
	Name      string `json:"name"`
	Updates   int    `json:"updates"` // done
	MaxUpdate int    `json:"max_update"`
	MaxEpoch  int    `json:"max_epoch"`
	Modified  int64  `json:"modified"` // seconds since 1970
}

// runs returns the run directories by name: those that the options name, the children
// of directories that hold runs, and those of models. They are looked up each time,
// for runs come and go.
func (s *Server) runs() map[string]string {
	found := map[string]string{}
	is := func(dir string) bool {
		info, err := os.Stat(filepath.Join(dir, metricsFile))
		return err == nil && info.Mode().IsRegular()
	}
	add := func(dir string) {
		name := ModelAt(dir).ID
		for i := 2; found[name] != "" && found[name] != dir; i++ {
			name = fmt.Sprintf("%s-%d", ModelAt(dir).ID, i)
		}
		found[name] = dir
	}
	for _, dir := range s.options.Runs {
		before := len(found)
		entries, _ := os.ReadDir(dir) // none, if it is not there yet
		for _, e := range entries {
			if inner := filepath.Join(dir, e.Name()); is(inner) {
				add(inner)
			}
		}
		if is(dir) || len(found) == before { // one that has not begun, too
			add(dir)
		}
	}
	for _, m := range s.slots {
		if is(m.Path) {
			add(m.Path)
		}
	}
	return found
}

func (s *Server) listRuns(w http.ResponseWriter, r *http.Request) error {
	out := []runInfo{}
	for name, dir := range s.runs() {
		info := runInfo{Name: name}
		if c, err := train.ReadRunConfig(dir); err == nil {
			info.MaxUpdate, info.MaxEpoch = c.Training.MaxUpdate, c.Training.MaxEpoch
		}
		if records, err := train.ReadRecords(filepath.Join(dir, metricsFile)); err == nil && len(records) > 0 {
			info.Updates = records[len(records)-1].Update
		}
		if file, err := os.Stat(filepath.Join(dir, metricsFile)); err == nil {
			info.Modified = file.ModTime().Unix()
		}
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b runInfo) int {
		return cmp.Or(cmp.Compare(b.Modified, a.Modified), cmp.Compare(a.Name, b.Name))
	})
	writeJSON(w, http.StatusOK, map[string]any{"runs": out})
	return nil
}

// run returns the directory of the run that a request names.
func (s *Server) run(r *http.Request) (string, error) {
	dir, ok := s.runs()[r.PathValue("run")]
	if !ok {
		return "", &failure{status: http.StatusNotFound, message: fmt.Sprintf("there is no run %q", clip(r.PathValue("run")))}
	}
	return dir, nil
}

func (s *Server) showRun(w http.ResponseWriter, r *http.Request) error {
	dir, err := s.run(r)
	if err != nil {
		return err
	}
	records, err := train.ReadRecords(filepath.Join(dir, metricsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("a run cannot be read", "error", err)
		return &failure{status: http.StatusInternalServerError, message: "the records of the run cannot be read"}
	}
	out := struct {
		Name      string         `json:"name"`
		MaxUpdate int            `json:"max_update"`
		MaxEpoch  int            `json:"max_epoch"`
		Records   []train.Record `json:"records"`
	}{Name: r.PathValue("run"), Records: append([]train.Record{}, records...)}
	if c, err := train.ReadRunConfig(dir); err == nil {
		out.MaxUpdate, out.MaxEpoch = c.Training.MaxUpdate, c.Training.MaxEpoch
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// How often the records of a run are looked at, and how long nothing is sent at most.
const (
	lookEvery  = 500 * time.Millisecond
	aliveEvery = 15 * time.Second
)

// runEvents sends the records of a run as they are written.
func (s *Server) runEvents(w http.ResponseWriter, r *http.Request) error {
	dir, err := s.run(r)
	if err != nil {
		return err
	}
	from, err := wholeOf(r.URL.Query().Get("from"))
	if last := r.Header.Get("Last-Event-ID"); last != "" && err == nil {
		from, err = wholeOf(last)
		from++
	}
	if err != nil {
		return invalid("from", "from and Last-Event-ID are numbers of records")
	}
	f := &follower{path: filepath.Join(dir, metricsFile), events: &events{w: w}, skip: from}
	defer f.close()
	return f.follow(s.untilDrained(r.Context()))
}

// A follower sends the lines of a file that grows.
type follower struct {
	path   string
	events *events
	skip   int // lines that the client has
	number int // of the next line
	file   *os.File
	offset int64
	sent   time.Time
}

func (f *follower) close() {
	if f.file != nil {
		f.file.Close()
	}
}

// follow sends lines until ctx ends, or the client is gone.
func (f *follower) follow(ctx context.Context) error {
	if err := f.events.raw(": records\n\n"); err != nil {
		return nil
	}
	f.sent = time.Now()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := f.look(); err != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if time.Since(f.sent) > aliveEvery {
			if err := f.events.raw(": alive\n\n"); err != nil {
				return nil
			}
			f.sent = time.Now()
		}
	}
}

// look sends the lines that have come since the last time. A file that is another one
// now, or shorter, is sent anew after an event that says so.
func (f *follower) look() error {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it may come again
	}
	if err != nil {
		return err
	}
	if f.file != nil {
		was, err := f.file.Stat()
		if err != nil || !os.SameFile(was, info) || info.Size() < f.offset {
			f.close()
			f.file, f.offset, f.number, f.skip = nil, 0, 0, 0
			if err := f.events.raw("event: reset\ndata: {}\n\n"); err != nil {
				return err
			}
		}
	}
	if f.file == nil {
		if f.file, err = os.Open(f.path); err != nil {
			f.file = nil
			return nil
		}
	}
	return f.lines(info.Size())
}

// lines sends the whole lines up to an offset.
func (f *follower) lines(to int64) error {
	const atOnce = 1 << 20
	for f.offset < to {
		part := make([]byte, min(to-f.offset, atOnce))
		n, err := f.file.ReadAt(part, f.offset)
		if err != nil && err != io.EOF {
			return nil
		}
		end := bytes.LastIndexByte(part[:n], '\n')
		if end < 0 {
			return nil // the line is not whole yet
		}
		var out bytes.Buffer
		for line := range bytes.SplitSeq(part[:end], []byte("\n")) {
			if f.number >= f.skip {
				fmt.Fprintf(&out, "event: record\nid: %s\ndata: %s\n\n", strconv.Itoa(f.number), line)
			}
			f.number++
		}
		f.offset += int64(end) + 1
		if out.Len() > 0 {
			if err := f.events.raw(out.String()); err != nil {
				return err
			}
			f.sent = time.Now()
		}
	}
	return nil
}
