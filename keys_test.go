package mega_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// A trial says what a configuration makes of a batch: the parameters' names and
// sizes, and the loss in training and outside it.
type trial struct {
	params      string
	train, eval float64
}

func try(t *testing.T, p *nn.Params, loss func(tape *autograd.Tape) (autograd.Loss, error)) trial {
	t.Helper()
	var r trial
	for _, q := range p.All() {
		r.params += fmt.Sprint(q.Name, q.Shape(), " ")
	}
	r.params += fmt.Sprint(p.Aliases())
	rng := rand.New(rand.NewPCG(3, 51))
	for _, q := range p.All() { // of a size at which everything shows
		for i := range q.Value().Data() {
			q.Value().Data()[i] += float32(0.3 * rng.NormFloat64())
		}
	}
	for train, sum := range map[bool]*float64{true: &r.train, false: &r.eval} {
		tape := autograd.NewTrainingTape()
		tape.SetMode(false, train)
		tape.SetSeed(5)
		l, err := loss(tape)
		if err != nil {
			t.Fatal(err)
		}
		*sum = l.Host().Sum
	}
	return r
}

// checkKeys changes one key after the other: dropouts must change the loss in
// training alone, all others the parameters or the loss outside training. Keys
// without an effect on the model are in idle, with the reason.
func checkKeys[C any](t *testing.T, base C, changes map[string]any, idle map[string]string, run func(t *testing.T, c C) trial) {
	t.Helper()
	want := run(t, base)
	typ := reflect.TypeOf(base)
	for i := range typ.NumField() {
		key, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if idle[key] != "" {
			continue
		}
		change, ok := changes[key]
		if !ok {
			t.Errorf("no test of %s", key)
			continue
		}
		got := run(t, changed(t, base, key, change))
		switch dropout := strings.Contains(key, "drop"); {
		case dropout && (got.params != want.params || got.eval != want.eval || got.train == want.train):
			t.Errorf("%s = %v: loss %g in training and %g outside, before %g and %g; want a change in training alone",
				key, change, got.train, got.eval, want.train, want.eval)
		case !dropout && got.params == want.params && got.eval == want.eval:
			t.Errorf("%s = %v changes nothing outside training", key, change)
		}
	}
}

// changed returns base with keys set: one, or those of a map.
func changed[C any](t *testing.T, base C, key string, value any) C {
	t.Helper()
	values, ok := value.(map[string]any)
	if !ok {
		values = map[string]any{key: value}
	}
	var config C
	for _, v := range []any{base, values} {
		data, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(data, &config)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return config
}

const (
	aName   = "a name"
	inCheck = "bounds the input"
)

// TestEveryClassifierKeyMatters: no key is accepted and then ignored.
func TestEveryClassifierKeyMatters(t *testing.T) {
	base := textConfig()
	base.NormType, base.ActDropout = "layernorm", 0.1
	base.ChunkSize = 4
	checkKeys(t, base, map[string]any{
		"seed": 4, "vocab_size": 21, "sen_rep_type": "cls", "encoder_layers": 1,
		"encoder_embed_dim":  map[string]any{"encoder_embed_dim": 10, "classifier_in_dim": 10},
		"encoder_hidden_dim": 21, "encoder_ffn_embed_dim": 17, "z_dim": 8, "n_dim": 4,
		"activation_fn": "gelu", "attention_activation_fn": "laplace", "norm_type": "rmsnorm",
		"encoder_normalize_before": true, "normalize_embedding": true, "rel_pos_bias": "rotary",
		"chunk_size": 5, "truncation_length": 2, "dropout": 0.2, "attention_dropout": 0.3, "act_dropout": 0.3,
		"feature_dropout": true, "classifier_layers": 2, "classifier_out_dim": 15,
		"classifier_activation_fn": "relu", "sentence_class_num": 4,
	}, map[string]string{"arch": aName, "max_positions": inCheck, "input_type": "another kind of input", "input_channels": "another kind of input", "classifier_in_dim": "another kind of input"},
		func(t *testing.T, c mega.ClassifierConfig) trial {
			m, err := mega.NewClassifier(c)
			if err != nil {
				t.Fatal(err)
			}
			in, labels := batchOf(3, 4, 10, base)
			return try(t, m.Params(), func(tape *autograd.Tape) (autograd.Loss, error) { return m.Loss(tape, in, labels) })
		})
}

// TestEveryLanguageModelKeyMatters is the same of language models.
func TestEveryLanguageModelKeyMatters(t *testing.T) {
	base := textModelConfig()
	base.VocabSize, base.NormalizeBefore, base.NoAffineFinalNorm = 30, true, false
	base.DecoderChunkSize, base.DecoderFFNEmbedDim, base.HiddenDropout = 4, 9, 0.1
	base.AdaptiveInput, base.AdaptiveInputCutoff, base.AdaptiveInputFactor = true, []int{5, 9}, 2
	base.AdaptiveSoftmaxCutoff, base.AdaptiveSoftmaxFactor = []int{5, 9}, 2
	plain := map[string]any{"adaptive_input": false, "adaptive_softmax_cutoff": nil}
	checkKeys(t, base, map[string]any{
		"seed": 4, "vocab_size": 31, "decoder_layers": base.DecoderLayers + 1, "decoder_embed_dim": 10, "decoder_input_dim": 6,
		"decoder_hidden_dim": 21, "decoder_ffn_embed_dim": 17, "decoder_z_dim": 12, "decoder_n_dim": 7, "decoder_chunk_size": 5,
		"activation_fn": "relu", "attention_activation_fn": "laplace", "normalization_type": "rmsnorm",
		"normalize_before":     false,
		"normalize_embedding":  map[string]any{"normalize_embedding": true, "normalize_before": false},
		"no_affine_final_norm": true, "no_scale_embedding": !base.NoScaleEmbedding, "rel_pos_bias": "simple", "truncation_length": 2,
		"dropout": 0.2, "attention_dropout": 0.3, "hidden_dropout": 0.3, "activation_dropout": 0.3, "feature_dropout": true,
		"share_decoder_input_output_embed": map[string]any{"share_decoder_input_output_embed": true, "adaptive_input": false, "adaptive_softmax_cutoff": nil},
		"adaptive_input":                   plain, "adaptive_input_cutoff": []int{6, 9}, "adaptive_input_factor": 1.5,
		"adaptive_softmax_cutoff": []int{6, 9}, "adaptive_softmax_factor": 1.5, "adaptive_softmax_dropout": 0.3,
		"tie_adaptive_weights": true, "tie_adaptive_proj": map[string]any{"tie_adaptive_weights": true, "tie_adaptive_proj": true},
	}, map[string]string{"arch": aName, "max_target_positions": inCheck},
		func(t *testing.T, c mega.LanguageModelConfig) trial {
			m, err := mega.NewLanguageModel(c)
			if err != nil {
				t.Fatal(err)
			}
			tokens, _ := randomText(rand.New(rand.NewPCG(3, 52)), 4, 11, base.VocabSize, false)
			return try(t, m.Params(), func(tape *autograd.Tape) (autograd.Loss, error) { return m.Loss(tape, tokens, tokens, 4, 11) })
		})
}

// TestEveryTranslatorKeyMatters is the same of translators.
func TestEveryTranslatorKeyMatters(t *testing.T) {
	base := translatorConfig()
	base.SourceVocabSize, base.TargetVocabSize, base.EncoderFFNEmbedDim, base.DecoderFFNEmbedDim = 20, 20, 9, 9
	base.EncoderEmbedDim, base.DecoderEmbedDim, base.DecoderInputDim = 10, 10, 10
	base.EncoderChunkSize, base.DecoderChunkSize, base.HiddenDropout = 4, 4, 0.1
	checkKeys(t, base, map[string]any{
		"seed": 4, "source_vocab_size": 21, "target_vocab_size": 22, "encoder_layers": base.EncoderLayers + 1, "decoder_layers": base.DecoderLayers + 1,
		"encoder_embed_dim":  map[string]any{"encoder_embed_dim": 8, "decoder_embed_dim": 8},
		"decoder_embed_dim":  map[string]any{"encoder_embed_dim": 8, "decoder_embed_dim": 8},
		"encoder_hidden_dim": 21, "encoder_ffn_embed_dim": 17, "encoder_z_dim": 12, "encoder_n_dim": 7, "encoder_chunk_size": 5,
		"decoder_input_dim": 6, "decoder_hidden_dim": 21, "decoder_ffn_embed_dim": 17, "decoder_z_dim": 12, "decoder_n_dim": 7, "decoder_chunk_size": 5,
		"activation_fn": "relu", "attention_activation_fn": "laplace", "normalization_type": "rmsnorm", "normalize_before": false,
		"normalize_embedding": map[string]any{"normalize_embedding": true, "normalize_before": false},
		"no_scale_embedding":  !base.NoScaleEmbedding, "rel_pos_bias": "simple", "truncation_length": 2,
		"dropout": 0.2, "attention_dropout": 0.3, "hidden_dropout": 0.3, "activation_dropout": 0.3, "feature_dropout": true,
		"share_decoder_input_output_embed": true, "share_all_embeddings": true,
	}, map[string]string{"arch": aName, "max_source_positions": inCheck, "max_target_positions": inCheck},
		func(t *testing.T, c mega.TranslatorConfig) trial {
			m, err := mega.NewTranslator(c)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(3, 53))
			sources, _ := randomText(rng, 3, 11, base.SourceVocabSize, true)
			targets, _ := randomText(rng, 3, 10, base.TargetVocabSize, false)
			return try(t, m.Params(), func(tape *autograd.Tape) (autograd.Loss, error) {
				return m.Loss(tape, &mega.Input{Rows: 3, Length: 11, Tokens: sources}, &mega.Input{Rows: 3, Length: 10, Tokens: targets}, targets, 0.1)
			})
		})
}

// TestEveryVisionKeyMatters is the same of models of images.
func TestEveryVisionKeyMatters(t *testing.T) {
	checkKeys(t, visionConfig(), map[string]any{
		"seed": 4, "img_size": 16, "patch_size": 6, "patch_impl": "linear", "no_pos_emb": true, "num_classes": 6,
		"depth": 2, "embed_dim": 11, "hidden_dim": 15, "ffn_hidden_dim": 0, "zdim": 5, "ndim": 3, "norm_type": "rmsnorm",
		"drop_rate": 0.2, "attn_drop_rate": 0.3, "drop_path_rate": 0.4,
	}, map[string]string{"arch": aName}, func(t *testing.T, c mega.VisionConfig) trial {
		m, err := mega.NewVision(c)
		if err != nil {
			t.Fatal(err)
		}
		in, batch := randomImages(rand.New(rand.NewPCG(3, 54)), c, 4)
		return try(t, m.Params(), func(tape *autograd.Tape) (autograd.Loss, error) {
			return m.Loss(tape, in, oneHot(batch.Target, c.NumClasses))
		})
	})
}
