package inspect

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/tensor"
)

// A settings is a configuration, or the reference's arguments, by key.
type settings map[string]any

// read reads what is there as JSON; what is no object has no keys.
func read(v any) settings {
	s := settings{}
	if text, err := json.Marshal(v); err == nil {
		_ = json.Unmarshal(text, &s) // of another type: no keys
	}
	return s
}

// first returns the first of some keys that has a value other than the empty one.
func (s settings) first(keys ...string) string {
	for _, key := range keys {
		if v, ok := s[key]; ok && v != nil && v != "" && v != false {
			return fmt.Sprint(v)
		}
	}
	return ""
}

// list writes the keys that have values, each as its format says; 0 and negative
// numbers stand for none.
func (s settings) list(formats ...[2]string) string {
	var parts []string
	for _, f := range formats {
		if v := s.first(f[0]); v != "" && v != "0" && v[0] != '-' {
			parts = append(parts, fmt.Sprintf(f[1], v))
		}
	}
	return strings.Join(parts, ", ")
}

// WriteSummary writes what a person wants to know of a checkpoint first: what it
// is, how large, on what it was trained, how far and how well.
func WriteSummary(w io.Writer, c *checkpoint.Checkpoint, layers []Layer) error {
	model, data, training := read(c.Settings()), read(c.Data), read(c.Training)
	if c.Args != nil {
		data, training = model, model
	}
	rows := [][2]string{
		{"checkpoint", c.Path},
		{"model", strings.Trim(c.Task+", "+model.first("arch"), ", ")},
		{"encoder", size(model, "encoder")},
		{"decoder", size(model, "decoder")},
		{"attention", model.list([2]string{"attention_activation_fn", "%s"}, [2]string{"chunk_size", "chunks of %s"}, [2]string{"encoder_chunk_size", "chunks of %s in the encoder"},
			[2]string{"decoder_chunk_size", "chunks of %s in the decoder"}, [2]string{"rel_pos_bias", "%s positions"})},
		{"parameters", parameters(c.Weights)},
		{"reads", model.list([2]string{"input_type", "%s"}, [2]string{"vocab_size", "%s kinds of symbols"}, [2]string{"max_positions", "up to %s positions"}, [2]string{"sentence_class_num", "%s classes"})},
		{"data", data.list([2]string{"task", "%s"}, [2]string{"data", "%s"}, [2]string{"text", "%s"}, [2]string{"source_lang", "from %s"}, [2]string{"target_lang", "to %s"})},
		{"training", trained(c, training)},
		{"half-lives", halfLivesOf(layers)},
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(tw, "%s\t%s\n", row[0], row[1])
		}
	}
	return tw.Flush()
}

// size says how large the encoder or the decoder is.
func size(model settings, part string) string {
	if model.first(part+"_layers") == "" || model.first(part+"_embed_dim") == "" {
		return ""
	}
	z, n := part+"_z_dim", part+"_n_dim"
	if model[z] == nil {
		z, n = "z_dim", "n_dim"
	}
	return model.list([2]string{part + "_layers", "%s layers"}, [2]string{part + "_embed_dim", "D %s"}, [2]string{part + "_hidden_dim", "H %s"}, [2]string{z, "Z %s"}, [2]string{n, "N %s"})
}

func parameters(w checkpoint.Weights) string {
	count, names := 0, w.Names()
	for _, name := range names {
		shape, _ := w.Shape(name)
		count += tensor.Size(shape)
	}
	return fmt.Sprintf("%d numbers in %d tensors", count, len(names))
}

// trained says how far a training came and how well its model did.
func trained(c *checkpoint.Checkpoint, training settings) string {
	t, err := c.TrainingState(nil, checkpoint.Reset{})
	if err != nil {
		return err.Error()
	}
	if t == nil {
		return ""
	}
	text := fmt.Sprintf("update %d, epoch %d", t.Updates, t.Epoch)
	if t.Seconds > 0 {
		text += fmt.Sprintf(", %.0f s", t.Seconds)
	}
	if t.Best != nil {
		text += fmt.Sprintf("; best %s in validation %.4g", training.first("best_checkpoint_metric"), *t.Best)
	}
	return text
}

func halfLivesOf(layers []Layer) string {
	if len(layers) == 0 {
		return ""
	}
	last := len(Levels) - 1
	low, high := layers[0].Quantiles[0], layers[0].Quantiles[last]
	for _, l := range layers {
		low, high = min(low, l.Quantiles[0]), max(high, l.Quantiles[last])
	}
	return fmt.Sprintf("%.4g to %.4g steps in %d moving averages", low, high, len(layers))
}
