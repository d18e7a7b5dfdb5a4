// Package mega is a Go implementation of Mega, Moving Average Equipped Gated
// Attention (Ma et al., ICLR 2023, arXiv 2209.10655). Mega is a sequence model: it
// puts a learned, damped exponential moving average inside single-head gated
// attention. Its cost is linear in the length of the input when attention is cut
// into chunks.
//
// Where to read first:
//
//   - attention.go is the Mega layer, [GatedAttention]; ema.go is its moving average.
//   - block.go joins the layer and a feed-forward network to a block, and stack.go
//     blocks to a stack; cross_attention.go is what a translator's decoder adds.
//   - classifier.go, vision.go, language_model.go and translator.go are the models; their
//     settings and the paper's sizes are in the files ending in _config.go and
//     _archs.go.
//   - session.go and translator_session.go read and write text token by token: a
//     [Session] or [TranslatorSession] carries the state of a [LanguageModel] or
//     a [Translator].
//
// A [Classifier] reads a text, a pair of texts, pixels or audio samples:
//
//	cfg, err := mega.ClassifierArch("mega_lra_imdb")
//	cfg.VocabSize = 260
//	model, err := mega.NewClassifier(cfg)
//	logits, err := model.Logits(mega.Input{Rows: 1, Length: 5, Tokens: []int32{12, 7, 30, 4, 2}})
//
// Package generate searches and samples with sessions.
//
// The package is the architecture and nothing else: it knows no file format, no
// data set and no optimiser. Names of configuration keys and parameters are the
// reference's (facebookresearch/mega), and so are the numbers that models compute.
//
// Models and sessions come from the functions that make them. The methods of a nil
// model or of a zero [Session] panic.
//
// Shapes follow one alphabet: B batch, L length, D embed_dim, H hidden_dim,
// Z z_dim, N n_dim, C chunk, V vocabulary. Layout is batch first, channel last.
package mega
