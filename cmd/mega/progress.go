package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// lineEvery is how often progress is told where there is no terminal.
const lineEvery = 30 * time.Second

// progress returns a function that shows how much of a long work is done: by a
// bar on a terminal, by a line now and then elsewhere. The last call, with done
// equal to total, ends it.
func progress(w io.Writer, what string) func(done, total int) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		return progressBar(w, what)
	}
	last := time.Now()
	return func(done, total int) {
		if now := time.Now(); now.Sub(last) >= lineEvery {
			last = now
			fmt.Fprintf(w, "%d of %d %s\n", done, total, what)
		}
	}
}

func progressBar(w io.Writer, what string) func(done, total int) {
	var all *mpb.Progress
	var bar *mpb.Bar
	return func(done, total int) {
		if all == nil {
			all = mpb.New(mpb.WithOutput(w))
			bar = all.New(int64(total), mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
				mpb.BarRemoveOnComplete(),
				mpb.BarWidth(24),
				mpb.PrependDecorators(decor.CountersNoUnit("%d of %d "+what)),
				mpb.AppendDecorators(decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO), "")),
			)
		}
		bar.SetCurrent(int64(done))
		if done >= total {
			all.Wait()
		}
	}
}
