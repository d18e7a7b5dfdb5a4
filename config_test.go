package mega_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
	"pgregory.net/rapid"
)

// textModelConfig is a small language model.
func textModelConfig() mega.LanguageModelConfig {
	rng := rand.New(rand.NewPCG(8, 8))
	c := randomLanguageModel(rng, variant{"layernorm", "softmax", "rotary", true, true})
	c.AdaptiveInput, c.AdaptiveSoftmaxCutoff, c.ShareDecoderInputOutputEmbed, c.DecoderInputDim = false, nil, false, 8
	return c
}

func translatorConfig() mega.TranslatorConfig {
	c := randomTranslator(rand.New(rand.NewPCG(9, 9)), variant{"layernorm", "softmax", "rotary", true, true})
	c.ShareAllEmbeddings, c.ShareDecoderInputOutputEmbed = false, false
	return c
}

// TestImpossibleClassifiers sets one key to what cannot be: the error names it
// and says what would be right.
func TestImpossibleClassifiers(t *testing.T) {
	for want, change := range map[string]func(c *mega.ClassifierConfig){
		`input_type is "video", want one of text, image, audio`:          func(c *mega.ClassifierConfig) { c.InputType = "video" },
		"vocab_size is 2, want 3 to":                                     func(c *mega.ClassifierConfig) { c.VocabSize = 2 },
		"max_positions is 0, want 1 to":                                  func(c *mega.ClassifierConfig) { c.MaxPositions = 0 },
		`sen_rep_type is "max", want one of mp, cls`:                     func(c *mega.ClassifierConfig) { c.SenRepType = "max" },
		"encoder_layers is 0, want 1 to":                                 func(c *mega.ClassifierConfig) { c.EncoderLayers = 0 },
		"encoder_layers is 1000000, want 1 to":                           func(c *mega.ClassifierConfig) { c.EncoderLayers = 1e6 },
		"encoder_embed_dim is 0, want 1 to":                              func(c *mega.ClassifierConfig) { c.EncoderEmbedDim = 0 },
		"encoder_hidden_dim is -1, want 1 to":                            func(c *mega.ClassifierConfig) { c.EncoderHiddenDim = -1 },
		"encoder_ffn_embed_dim is -1, want 0 to":                         func(c *mega.ClassifierConfig) { c.EncoderFFNEmbedDim = -1 },
		"z_dim is 0, want 1 to":                                          func(c *mega.ClassifierConfig) { c.ZDim = 0 },
		"z_dim is 7, want an even number":                                func(c *mega.ClassifierConfig) { c.ZDim, c.RelPosBias = 7, "rotary" },
		"n_dim is 0, want 1 to":                                          func(c *mega.ClassifierConfig) { c.NDim = 0 },
		`activation_fn: unknown activation "swish"`:                      func(c *mega.ClassifierConfig) { c.ActivationFn = "swish" },
		`attention_activation_fn: attention function "max": want one of`: func(c *mega.ClassifierConfig) { c.AttentionActivationFn = "max" },
		`norm_type: unknown norm "groupnorm", want one of layernorm`:     func(c *mega.ClassifierConfig) { c.NormType = "groupnorm" },
		`rel_pos_bias is "none", want one of simple, rotary`:             func(c *mega.ClassifierConfig) { c.RelPosBias = "none" },
		"chunk_size is 0, want a positive number":                        func(c *mega.ClassifierConfig) { c.ChunkSize = 0 },
		"chunk_size is 100000000, want at most":                          func(c *mega.ClassifierConfig) { c.ChunkSize = 1e8 },
		"dropout is 1, want at least 0 and less than 1":                  func(c *mega.ClassifierConfig) { c.Dropout = 1 },
		"attention_dropout is NaN, want":                                 func(c *mega.ClassifierConfig) { c.AttentionDropout = math.NaN() },
		"act_dropout is -0.1, want":                                      func(c *mega.ClassifierConfig) { c.ActDropout = -0.1 },
		"classifier_layers is -1, want 0 to":                             func(c *mega.ClassifierConfig) { c.ClassifierLayers = -1 },
		"classifier_in_dim is 13, want encoder_embed_dim = 12, or 24":    func(c *mega.ClassifierConfig) { c.ClassifierInDim = 13 },
		"classifier_out_dim is 14, want classifier_in_dim = 12 when":     func(c *mega.ClassifierConfig) { c.ClassifierLayers = 0 },
		"classifier_out_dim is 0, want 1 to":                             func(c *mega.ClassifierConfig) { c.ClassifierOutDim = 0 },
		`classifier_activation_fn: unknown activation ""`:                func(c *mega.ClassifierConfig) { c.ClassifierActivationFn = "" },
		"sentence_class_num is 0, want 1 to":                             func(c *mega.ClassifierConfig) { c.SentenceClassNum = 0 },
		"normalize_embedding and encoder_normalize_before exclude each":  func(c *mega.ClassifierConfig) { c.NormalizeEmbedding, c.EncoderNormalizeBefore = true, true },
		"parameters, want at most 8589934592":                            func(c *mega.ClassifierConfig) { c.VocabSize, c.EncoderEmbedDim, c.ClassifierInDim = 1<<28, 1000, 1000 },
	} {
		c := textConfig()
		change(&c)
		_, err := mega.NewClassifier(c)
		checkComplaint(t, want, err)
	}
}

func checkComplaint(t *testing.T, want string, err error) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("no error, want %q", want)
	case !strings.HasPrefix(err.Error(), "configuration: ") || strings.Contains(err.Error(), "\n"):
		t.Errorf("error %q, want one line about the configuration", err)
	case !strings.Contains(err.Error(), want):
		t.Errorf("error %q, want %q", err, want)
	}
}

func TestImpossibleLanguageModels(t *testing.T) {
	adaptive := func(c *mega.LanguageModelConfig) {
		c.AdaptiveInput, c.AdaptiveInputCutoff, c.AdaptiveInputFactor = true, []int{5, 9}, 2
		c.AdaptiveSoftmaxCutoff, c.AdaptiveSoftmaxFactor, c.TieAdaptiveWeights = []int{5, 9}, 2, true
	}
	with := func(change func(c *mega.LanguageModelConfig)) func(c *mega.LanguageModelConfig) {
		return func(c *mega.LanguageModelConfig) {
			adaptive(c)
			change(c)
		}
	}
	for want, change := range map[string]func(c *mega.LanguageModelConfig){
		"vocab_size is 0, want 4 to":                             func(c *mega.LanguageModelConfig) { c.VocabSize = 0 },
		"max_target_positions is 0, want 1 to":                   func(c *mega.LanguageModelConfig) { c.MaxTargetPositions = 0 },
		"decoder_layers is 0, want 1 to":                         func(c *mega.LanguageModelConfig) { c.DecoderLayers = 0 },
		"decoder_embed_dim is 0, want 1 to":                      func(c *mega.LanguageModelConfig) { c.DecoderEmbedDim = 0 },
		"decoder_input_dim is 0, want 1 to":                      func(c *mega.LanguageModelConfig) { c.DecoderInputDim = 0 },
		"decoder_hidden_dim is 0, want 1 to":                     func(c *mega.LanguageModelConfig) { c.DecoderHiddenDim = 0 },
		"decoder_ffn_embed_dim is -5, want 0 to":                 func(c *mega.LanguageModelConfig) { c.DecoderFFNEmbedDim = -5 },
		"decoder_z_dim is 5, want an even number":                func(c *mega.LanguageModelConfig) { c.DecoderZDim = 5 },
		"decoder_n_dim is 5000, want 1 to 1024":                  func(c *mega.LanguageModelConfig) { c.DecoderNDim = 5000 },
		"decoder_chunk_size is 0, want":                          func(c *mega.LanguageModelConfig) { c.DecoderChunkSize = 0 },
		`normalization_type: unknown norm ""`:                    func(c *mega.LanguageModelConfig) { c.NormalizationType = "" },
		"hidden_dropout is 2, want":                              func(c *mega.LanguageModelConfig) { c.HiddenDropout = 2 },
		"activation_dropout is 2, want":                          func(c *mega.LanguageModelConfig) { c.ActivationDropout = 2 },
		"adaptive_softmax_dropout is 1, want":                    func(c *mega.LanguageModelConfig) { c.AdaptiveSoftmaxDropout = 1 },
		"normalize_embedding and normalize_before exclude each":  func(c *mega.LanguageModelConfig) { c.NormalizeEmbedding = true },
		"share_decoder_input_output_embed needs":                 func(c *mega.LanguageModelConfig) { c.ShareDecoderInputOutputEmbed, c.DecoderInputDim = true, 4 },
		"adaptive_input_cutoff: adaptive cutoffs [9 5]":          with(func(c *mega.LanguageModelConfig) { c.AdaptiveInputCutoff = []int{9, 5} }),
		"adaptive_softmax_cutoff: adaptive cutoffs [5 99]":       with(func(c *mega.LanguageModelConfig) { c.AdaptiveSoftmaxCutoff = []int{5, 99} }),
		"adaptive_softmax_cutoff: adaptive cutoffs [0 9]":        with(func(c *mega.LanguageModelConfig) { c.AdaptiveSoftmaxCutoff = []int{0, 9} }),
		"adaptive_input_factor is 0.5, want at least 1":          with(func(c *mega.LanguageModelConfig) { c.AdaptiveInputFactor = 0.5 }),
		"adaptive_softmax_factor is 9, want at least 1 and":      with(func(c *mega.LanguageModelConfig) { c.AdaptiveSoftmaxFactor = 9 }),
		"adaptive_softmax_factor is NaN, want at least 1":        with(func(c *mega.LanguageModelConfig) { c.AdaptiveSoftmaxFactor = math.NaN() }),
		"tie_adaptive_weights needs adaptive_input with":         with(func(c *mega.LanguageModelConfig) { c.AdaptiveInput = false }),
		"tie_adaptive_weights needs adaptive_input with the cut": with(func(c *mega.LanguageModelConfig) { c.AdaptiveInputCutoff = []int{4, 9} }),
	} {
		c := textModelConfig()
		change(&c)
		_, err := mega.NewLanguageModel(c)
		checkComplaint(t, want, err)
	}
}

func TestImpossibleTranslators(t *testing.T) {
	for want, change := range map[string]func(c *mega.TranslatorConfig){
		"source_vocab_size is 3, want 4 to":            func(c *mega.TranslatorConfig) { c.SourceVocabSize = 3 },
		"target_vocab_size is 3, want 4 to":            func(c *mega.TranslatorConfig) { c.TargetVocabSize = 3 },
		"max_source_positions is 0, want 1 to":         func(c *mega.TranslatorConfig) { c.MaxSourcePositions = 0 },
		"max_target_positions is 0, want 1 to":         func(c *mega.TranslatorConfig) { c.MaxTargetPositions = 0 },
		"encoder_layers is 0, want 1 to":               func(c *mega.TranslatorConfig) { c.EncoderLayers = 0 },
		"decoder_layers is 0, want 1 to":               func(c *mega.TranslatorConfig) { c.DecoderLayers = 0 },
		"want them equal: the decoder attends":         func(c *mega.TranslatorConfig) { c.EncoderEmbedDim++ },
		"encoder_hidden_dim is 0, want 1 to":           func(c *mega.TranslatorConfig) { c.EncoderHiddenDim = 0 },
		"decoder_hidden_dim is 0, want 1 to":           func(c *mega.TranslatorConfig) { c.DecoderHiddenDim = 0 },
		"encoder_z_dim is 3, want an even number":      func(c *mega.TranslatorConfig) { c.EncoderZDim = 3 },
		"decoder_z_dim is 3, want an even number":      func(c *mega.TranslatorConfig) { c.DecoderZDim = 3 },
		"encoder_chunk_size is 0, want":                func(c *mega.TranslatorConfig) { c.EncoderChunkSize = 0 },
		"decoder_input_dim is 0, want 1 to":            func(c *mega.TranslatorConfig) { c.DecoderInputDim = 0 },
		"share_all_embeddings needs one joined":        func(c *mega.TranslatorConfig) { c.ShareAllEmbeddings, c.TargetVocabSize = true, c.SourceVocabSize+1 },
		"share_decoder_input_output_embed needs":       func(c *mega.TranslatorConfig) { c.ShareDecoderInputOutputEmbed, c.DecoderInputDim = true, 100 },
		`attention_activation_fn: attention function`:  func(c *mega.TranslatorConfig) { c.AttentionActivationFn = "" },
		"normalize_embedding and normalize_before exc": func(c *mega.TranslatorConfig) { c.NormalizeEmbedding = true },
	} {
		c := translatorConfig()
		change(&c)
		_, err := mega.NewTranslator(c)
		checkComplaint(t, want, err)
	}
}

// TestEveryComplaintIsMade: one error lists all that is wrong, each once.
func TestEveryComplaintIsMade(t *testing.T) {
	err := mega.ClassifierConfig{ActDropout: 7}.Validate()
	for _, key := range []string{"input_type", "sen_rep_type", "encoder_layers", "encoder_embed_dim", "z_dim", "norm_type", "act_dropout"} {
		if n := strings.Count(err.Error(), key+" is ") + strings.Count(err.Error(), key+": "); n != 1 {
			t.Errorf("%d complaints about %s in %v", n, key, err)
		}
	}
}

// TestParseConfigs reads back what was written, and names the key that a mistyped
// one is nearest to.
func TestParseConfigs(t *testing.T) {
	parse := map[string]struct {
		config any
		parse  func(data []byte) (any, error)
	}{
		"classifier":     {textConfig(), func(data []byte) (any, error) { return untyped(mega.ParseConfig[mega.ClassifierConfig](data)) }},
		"language model": {textModelConfig(), func(data []byte) (any, error) { return untyped(mega.ParseConfig[mega.LanguageModelConfig](data)) }},
		"translator":     {translatorConfig(), func(data []byte) (any, error) { return untyped(mega.ParseConfig[mega.TranslatorConfig](data)) }},
	}
	for name, c := range parse {
		data, err := json.Marshal(c.config)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.parse(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.config, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for text, want := range map[string]string{
			`{"relpos_bias": "simple"}`: `configuration: unknown key "relpos_bias", did you mean "rel_pos_bias"?`,
			`{"REL_POS_BIAS": ""}`:      `unknown key "REL_POS_BIAS"`,
			`{"xyzzy_plugh_plover": 1}`: `unknown key "xyzzy_plugh_plover"`,
			`{"dropout": "much"}`:       "dropout is a string, want a number",
			`{"seed": -1}`:              "seed is -1, want a whole number from 0",
			`{"dropout": 0.1`:           "ends at byte 15, within a value: is it cut off?",
			`[]`:                        "the value is a list, want an object",
			`null`:                      "activation_fn",
		} {
			if _, err := c.parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: error %v, want %q", name, text, err, want)
			}
		}
	}
}

func untyped[T any](x T, err error) (any, error) { return x, err }

// TestDerive: what is not given follows from what is.
func TestDerive(t *testing.T) {
	c := textConfig()
	c.EncoderEmbedDim, c.EncoderHiddenDim = 30, 50
	c.Derive(func(string) bool { return true })
	if c.EncoderFFNEmbedDim != 16 || c.ClassifierInDim != 12 || c.ClassifierOutDim != 14 {
		t.Errorf("given values changed: %+v", c)
	}
	c.Derive(func(string) bool { return false })
	if c.EncoderFFNEmbedDim != 50 || c.ClassifierInDim != 30 || c.ClassifierOutDim != 14 {
		t.Errorf("values are not derived: %+v", c)
	}
	c.InputType, c.Arch = mega.InputAudio, "mega_lra_aan"
	c.Derive(func(key string) bool { return key != "classifier_in_dim" && key != "classifier_out_dim" })
	if c.ClassifierInDim != 60 || c.ClassifierOutDim != 60 {
		t.Errorf("values are not derived: %+v", c)
	}
}

// mutate sets a few fields of the struct that config points to to values that
// may be impossible.
func mutate(t *rapid.T, config any) {
	v := reflect.ValueOf(config).Elem()
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		i := rapid.IntRange(0, v.NumField()-1).Draw(t, "field")
		f := v.Field(i)
		switch f.Kind() {
		case reflect.Int:
			n := rapid.SampledFrom([]int64{-1 << 40, -1, 0, 1, 2, 3, 5, 8, 17, 1 << 62}).Draw(t, "int")
			if strings.HasSuffix(v.Type().Field(i).Name, "Layers") && n < 1<<62 {
				// The embedding of <pad> is zero, and each norm after its layer multiplies
				// the gradient of zeros by 1/√ε = 316: nine blocks reach infinity.
				n = min(n, 5)
			}
			f.SetInt(n)
		case reflect.Uint64:
			f.SetUint(rapid.Uint64().Draw(t, "seed"))
		case reflect.Float64:
			f.SetFloat(rapid.SampledFrom([]float64{math.NaN(), -1, 0, 0.3, 0.9, 1, 1.5, 4, math.Inf(1)}).Draw(t, "float"))
		case reflect.Bool:
			f.SetBool(rapid.Bool().Draw(t, "bool"))
		case reflect.Slice:
			f.Set(reflect.ValueOf(rapid.SliceOfN(rapid.IntRange(-1, 20), 0, 4).Draw(t, "cutoffs")))
		case reflect.String:
			f.SetString(rapid.SampledFrom([]string{
				"", "text", "image", "audio", "mp", "cls", "silu", "gelu", "relu", "relu2", "sigmoid", "tanh", "laplace", "linear",
				"gelu_accurate", "softmax", "layernorm", "rmsnorm", "scalenorm", "batchnorm", "simple", "rotary", "bogus",
			}).Draw(t, "name"))
		}
	}
}

// checkStep wants a training step with finite numbers.
func checkStep(t *rapid.T, p *nn.Params, loss func(tape *autograd.Tape) (autograd.Loss, error)) {
	tape := autograd.NewTrainingTape()
	l, err := loss(tape)
	if err != nil {
		t.Fatal(err)
	}
	tape.Backward(l.Variable)
	if math.IsNaN(l.Host().Sum) || math.IsInf(l.Host().Sum, 0) {
		t.Fatalf("the loss is %g", l.Host().Sum)
	}
	for _, q := range p.All() {
		if g := q.Grad(); g != nil {
			for _, x := range g.Data() {
				if x != x || math.IsInf(float64(x), 0) {
					t.Fatalf("the gradient of %s has %g in it", q.Name, x)
				}
			}
		}
	}
}

// TestAnyClassifier: a configuration is an error, or a model that can be trained.
func TestAnyClassifier(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := textConfig()
		mutate(t, &c)
		m, err := mega.NewClassifier(c)
		if err != nil {
			return
		}
		if m.Params().Count() != c.ParameterCount() {
			t.Fatalf("%d parameters, ParameterCount says %d", m.Params().Count(), c.ParameterCount())
		}
		c.MaxPositions = min(c.MaxPositions, 21)
		in, _ := randomInput(rand.New(rand.NewPCG(c.Seed, 1)), c)
		if in.Length > c.MaxPositions || in.Pair != nil && in.Pair.Length > c.MaxPositions {
			return
		}
		checkStep(t, m.Params(), func(tape *autograd.Tape) (autograd.Loss, error) {
			return m.Loss(tape, in, make([]int32, in.Rows))
		})
	})
}

// TestAnyLanguageModel is TestAnyClassifier for language models.
func TestAnyLanguageModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := textModelConfig()
		if rapid.Bool().Draw(t, "adaptive") {
			c.AdaptiveInput, c.AdaptiveInputCutoff, c.AdaptiveInputFactor = true, []int{5, 9}, 2
			c.AdaptiveSoftmaxCutoff, c.AdaptiveSoftmaxFactor = []int{5, 9}, 2
		}
		mutate(t, &c)
		m, err := mega.NewLanguageModel(c)
		if err != nil {
			return
		}
		if m.Params().Count() != c.ParameterCount() {
			t.Fatalf("%d parameters, ParameterCount says %d", m.Params().Count(), c.ParameterCount())
		}
		length := min(7, c.MaxTargetPositions)
		tokens, _ := randomText(rand.New(rand.NewPCG(c.Seed, 1)), 3, length, c.VocabSize, false)
		checkStep(t, m.Params(), func(tape *autograd.Tape) (autograd.Loss, error) {
			return m.Loss(tape, tokens, tokens, 3, length)
		})
		tape := autograd.NewTape()
		x, err := m.Features(tape, tokens, 3, length)
		if err != nil {
			t.Fatal(err)
		}
		if s := m.Scores(tape, x); s.Cols() != c.VocabSize {
			t.Fatalf("scores of %d words, want %d", s.Cols(), c.VocabSize)
		}
	})
}

// TestAnyTranslator is TestAnyClassifier for translators.
func TestAnyTranslator(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := translatorConfig()
		mutate(t, &c)
		m, err := mega.NewTranslator(c)
		if err != nil {
			return
		}
		if m.Params().Count() != c.ParameterCount() {
			t.Fatalf("%d parameters, ParameterCount says %d", m.Params().Count(), c.ParameterCount())
		}
		from, to := min(5, c.MaxSourcePositions), min(4, c.MaxTargetPositions)
		rng := rand.New(rand.NewPCG(c.Seed, 1))
		sources, _ := randomText(rng, 3, from, c.SourceVocabSize, true)
		targets, _ := randomText(rng, 3, to, c.TargetVocabSize, false)
		checkStep(t, m.Params(), func(tape *autograd.Tape) (autograd.Loss, error) {
			return m.Loss(tape, &mega.Input{Rows: 3, Length: from, Tokens: sources}, &mega.Input{Rows: 3, Length: to, Tokens: targets}, targets, 0.1)
		})
	})
}
