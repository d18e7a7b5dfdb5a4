package checkpoint

import (
	"fmt"
	"math"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/format/torchfile"
)

// ImageClassification is the kind of classifiers of pictures, by the name that
// configurations use.
const ImageClassification = "image_classification"

var visions = kindOf[mega.VisionConfig, *mega.Vision]{
	family: family{
		name: ImageClassification, noun: "classifier of pictures (bidirectional)", layers: []string{"blocks.", "patch_embed."},
		tasks:       []task{{ImageClassification, "mega_tiny_patch16_224"}},
		toReference: visionArgs,
	},
	fromArgs: visionConfig,
	build:    mega.NewVisionOf,
}

// Vision makes the classifier of pictures that the checkpoint holds.
func (c *Checkpoint) Vision() (*mega.Vision, error) {
	m, err := visions.load(c)
	if err == nil {
		m.SetBF16(c.bf16)
	}
	return m, err
}

// patchWeight is in every state_dict of mega-image's model.
const patchWeight = "patch_embed.pemb.proj.weight"

// deitNames are the names that arguments of a model have in mega-image's training
// (deit/main.py:38-54), by those of the model itself.
var deitNames = map[string]string{
	"arch": "model", "img_size": "input_size", "num_classes": "nb_classes", "drop_rate": "drop", "drop_path_rate": "drop_path",
}

// deitTraining are the keys of what only its training needs (deit/main.py:450).
var deitTraining = []any{"optimizer", "lr_scheduler", "scaler", modelEMAKey}

// visionArgs adds the arguments with which mega-image makes the model.
func visionArgs(args map[string]any) {
	for ours, theirs := range deitNames {
		args[theirs] = args[ours]
	}
}

// visionConfig reads all sizes from the weights, because mega-image's checkpoints
// may hold nothing else, and the rest from the arguments.
func visionConfig(args map[string]any, w Weights) (mega.VisionConfig, error) {
	c, err := visionSizes(w)
	if err != nil {
		return c, err
	}
	known := map[string]any{}
	for ours, theirs := range deitNames {
		known[ours] = args[theirs]
	}
	for key, value := range args {
		known[key] = value
	}
	if err := applyArgs(&c, known); err != nil {
		return c, err
	}
	return c, c.Validate()
}

// visionSizes returns the configuration that weights are of.
func visionSizes(w Weights) (c mega.VisionConfig, err error) {
	c.Seed, c.PatchImpl, c.NormType = 1, mega.PatchConv, normOf(w, "final_norm.norm.")
	size := func(name string, dims, axis int) int {
		shape, ok := w.Shape(name)
		if err == nil && (!ok || len(shape) != dims) {
			err = fmt.Errorf("%s has shape %v, want %d dimensions: it says how large the model is", name, shape, dims)
		}
		if err != nil {
			return 0
		}
		return shape[axis]
	}
	if shape, _ := w.Shape(patchWeight); len(shape) == 2 {
		const colours = 3
		c.PatchImpl, c.PatchSize = mega.PatchLinear, int(math.Round(math.Sqrt(float64(shape[1])/colours)))
	} else {
		c.PatchSize = size(patchWeight, 4, 3)
	}
	const block = "blocks.0."
	c.EmbedDim = size("head.weight", 2, 1)
	c.NumClasses = size("head.weight", 2, 0)
	c.HiddenDim = size(block+"mega_layer.v_proj.weight", 2, 0)
	c.ZDim = size(block+"mega_layer.gamma", 2, 1)
	c.NDim = size(block+"mega_layer.move.gamma", 2, 1)
	if shape, ok := w.Shape(block + "nffn.fc1.weight"); ok && len(shape) == 2 {
		c.FFNHiddenDim = shape[0]
	}
	patches := (size(block+"mega_layer.rel_pos_bias.rel_pos_bias", 1, 0) + 1) / 2
	c.ImgSize = int(math.Round(math.Sqrt(float64(patches)))) * c.PatchSize
	_, positions := w.Shape("pos_embed")
	c.NoPosEmb = !positions
	for has := true; has; {
		if _, has = w.Shape(fmt.Sprintf("blocks.%d.mega_layer.gamma", c.Depth)); has {
			c.Depth++
		}
	}
	return c, err
}

// normOf tells the type of a norm by what it holds.
func normOf(w Weights, prefix string) string {
	for _, of := range [][2]string{{"running_mean", "batchnorm"}, {"bias", "layernorm"}, {"weight", "rmsnorm"}, {"scalar", "scalenorm"}} {
		if _, ok := w.Shape(prefix + of[0]); ok {
			return of[1]
		}
	}
	return ""
}

// readVision takes over a checkpoint of mega-image: a state_dict, or one under
// model with the arguments of its training in args if it has them (deit/main.py:450).
// It reports false for other files.
func (c *Checkpoint) readVision(top *torchfile.Dict) (bool, error) {
	state, _ := top.Get("model")
	if dict, ok := state.(*torchfile.Dict); !ok || !holdsPatches(dict) {
		if state = top; !holdsPatches(top) {
			return false, nil
		}
	}
	weights, err := torchfile.NewStateDict(state)
	if err != nil {
		return true, fmt.Errorf("model: %w", err)
	}
	c.Weights, c.Args = unwrap(weights), map[string]any{}
	if state != top {
		c.root = top
	}
	if args, _ := top.Get("args"); args != nil {
		var ok bool
		if c.Args, ok = torchfile.Plain(args).(map[string]any); !ok {
			return true, fmt.Errorf("args is %s, want the arguments of a training by name", torchfile.TypeName(args))
		}
	}
	c.Task, c.Args["task"] = ImageClassification, ImageClassification
	return true, nil
}

// holdsPatches reports whether a state_dict embeds patches.
func holdsPatches(state *torchfile.Dict) bool {
	for key := range state.All() {
		if name, _ := key.(string); strings.HasSuffix(name, patchWeight) { // maybe of a wrapped model
			return true
		}
	}
	return false
}
