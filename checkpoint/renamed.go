package checkpoint

import (
	"slices"
	"strings"

	"github.com/mega-go/mega/format/dtype"
)

// renamed shows weights under other names.
type renamed struct {
	Weights
	names  []string
	theirs map[string]string // by the names that are shown
}

// wrappers are what torch puts into the names of a model's weights when it wraps
// the model: DataParallel, torch.compile, FSDP and activation checkpointing.
var wrappers = []string{"module.", "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."}

// unwrap shows weights without the names of wrappers; w itself if it has none, or
// if two names would be the same without them.
func unwrap(w Weights) Weights {
	out := renamed{Weights: w, theirs: make(map[string]string)}
	changed := false
	for _, name := range w.Names() {
		bare := name
		for _, wrapper := range wrappers {
			for strings.HasPrefix(bare, wrapper) {
				bare = bare[len(wrapper):]
			}
			bare = strings.ReplaceAll(bare, "."+wrapper, ".")
		}
		changed = changed || bare != name
		out.names = append(out.names, bare)
		out.theirs[bare] = name
	}
	if !changed || len(out.theirs) < len(out.names) {
		return w
	}
	return out
}

func (r renamed) their(name string) string {
	if their, ok := r.theirs[name]; ok {
		return their
	}
	return name
}

func (r renamed) Names() []string { return slices.Clone(r.names) }

func (r renamed) Shape(name string) ([]int, bool) { return r.Weights.Shape(r.their(name)) }

func (r renamed) DType(name string) (dtype.DType, bool) { return r.Weights.DType(r.their(name)) }

func (r renamed) Float32Into(name string, dst []float32) error {
	return r.Weights.Float32Into(r.their(name), dst)
}

func (r renamed) Int64Scalar(name string) (int64, error) {
	return r.Weights.Int64Scalar(r.their(name))
}
