// Package sentencepiece parts text into the pieces of a SentencePiece model
// (github.com/google/sentencepiece): unigram, byte pair, word and character
// models, with their normalisation.
//
// It reads models, and [Trainer] makes those that give back every byte of a text.
package sentencepiece
