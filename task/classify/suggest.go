package classify

import (
	"fmt"

	"github.com/mega-go/mega/data/labelled"
)

// A Suggestion is how data that was looked at can be trained on in minutes: a
// recipe by name, and the flags that follow it.
type Suggestion struct {
	Recipe string
	Flags  []string // name and value
}

// plan is what training in minutes allows for one kind of sample, measured on two
// cores (docs/your-data.md).
type plan struct {
	recipe  string
	longest int // steps of a sample, beyond which it is cut
	batch   int // steps of a batch, of a sample at least
	steps   int // of the training
}

var plans = map[string]plan{
	labelled.Texts:  {"labelled-text", 1024, 8192, 6_000_000},
	labelled.Pairs:  {"labelled-text", 1024, 4096, 3_000_000},
	labelled.Series: {"labelled-series", 1 << 20, 8192, 6_000_000},
	labelled.Sound:  {"labelled-sound", 8000, 32000, 8_000_000},
}

// soundRate is the rate, in samples a second, at which spoken words can still be
// told apart, and what suggested models hear.
const soundRate = 4000

// mostValidations is how often, about, a suggested training validates after epochs.
const mostValidations = 16

// Suggest chooses a recipe and its sizes by what data holds.
func Suggest(s *labelled.Summary) Suggestion {
	p := plans[s.Kind]
	out := Suggestion{Recipe: p.recipe}
	set := func(name string, value any) { out.Flags = append(out.Flags, "--"+name, fmt.Sprint(value)) }
	length := s.Lengths.Longest
	switch s.Kind {
	case labelled.Texts, labelled.Pairs:
		length += 2 // </s>, and <CLS> of a model that wants it
	case labelled.Sound:
		rate := min(soundRate, s.Rate)
		length = max(1, int(int64(s.Lengths.Most)*int64(rate)/int64(s.Rate)))
		set("sc-rate", rate)
		set("sc-length", min(length, p.longest))
	}
	length = min(length, p.longest)
	batch := min(max(p.batch/length, 1), 64, s.Parts[0])
	updates := max(p.steps/(batch*length), 1)
	updates = max(min(updates, 30*s.Parts[0]/batch), min(updates, 200))
	set("max-positions", length)
	if s.Channels > 1 {
		set("input-channels", s.Channels)
	}
	set("sentence-class-num", len(s.Classes))
	if s.Kind == labelled.Pairs {
		set("classifier-in-dim", 2*64)
	}
	set("batch-size", batch)
	together := 2 * batch
	if batch == 1 { // so long that two may be more than memory holds
		together = 1
	}
	set("max-sentences-valid", together)
	// A validation after every epoch would be most of the work on few samples.
	if epochs := updates / mostValidations / ((s.Parts[0] + batch - 1) / batch); epochs > 1 {
		set("validate-interval", epochs)
	}
	for _, name := range []string{"max-update", "total-num-update"} {
		set(name, updates)
	}
	set("warmup-updates", max(updates/10, 1))
	set("validate-interval-updates", max(updates/4, 1))
	return out
}
