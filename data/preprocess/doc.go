// Package preprocess makes dictionaries and token files from plain text. They are
// byte for byte those of fairseq-preprocess (fairseq_cli/preprocess.py). It uses
// all cores, and its memory does not grow with the text.
//
// [Run] does all of it: for one language ([Options.OnlySource]) dict.txt and
// SPLIT.bin and .idx, for a pair dict.LANG.txt and SPLIT.SRC-TGT.LANG.bin and
// .idx. It passes over a file twice: to count words, and to write their ids.
//
// With [Options.Pieces] the lines of a pair are raw: a model cuts them into pieces.
// A copy of it lies beside the token files as dict.pieces.
//
// It makes no word alignments (--align-suffix, --alignfile), because no Mega model
// reads them.
package preprocess
