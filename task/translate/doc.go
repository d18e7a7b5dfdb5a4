// Package translate trains translators, scores them by BLEU, and translates data
// sets and raw text, with one model or an ensemble.
package translate
