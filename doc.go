// Package mega is Mega, Moving Average Equipped Gated Attention (Ma et al.,
// ICLR 2023, arXiv 2209.10655), for Go: a sequence model that puts a learned,
// damped exponential moving average inside single-head gated attention, and
// that is linear in the length of its input when attention is cut into chunks.
//
// A Classifier reads a text, a pair of texts, pixels or audio samples:
//
//	cfg, err := mega.ClassifierArch("mega_lra_imdb")
//	cfg.VocabSize = 260
//	model, err := mega.NewClassifier(cfg)
//	logits, err := model.Logits(mega.Input{Rows: 1, Length: 5, Tokens: []int32{12, 7, 30, 4, 2}})
//
// A LanguageModel reads text of any length through a [Session], which carries
// its state, and a Translator translates through a [TranslatorSession]; package
// generate makes texts with either.
//
// The package is the architecture and nothing else: it knows no file format, no
// data set and no optimiser. Configurations use the reference's names
// (facebookresearch/mega), parameters too, and the numbers are the reference's.
//
// Shapes follow one alphabet: B batch, L length, D embed_dim, H hidden_dim,
// Z z_dim, N n_dim, C chunk, V vocabulary. Layout is batch first, channel last.
package mega
