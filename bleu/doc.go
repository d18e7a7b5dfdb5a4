// Package bleu scores translations against references. It has BLEU (Papineni et al.,
// 2002) on given tokens, as fairseq computes it, and on sacreBLEU's tokens (Post,
// arXiv 1804.08771) with its signature; chrF (Popović, 2015); and confidence
// intervals by bootstrap resampling (Koehn, 2004).
//
// It opens no files and knows nothing of models.
package bleu
