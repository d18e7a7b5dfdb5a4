// Package sentencepiece parts text into the pieces of a SentencePiece model
// (github.com/google/sentencepiece): unigram, byte pair, word and character
// models, with their normalisation.
//
// It reads models and does not train them.
package sentencepiece
