// Package preprocess makes dictionaries and token files of plain text, byte for
// byte what fairseq-preprocess makes (fairseq_cli/preprocess.py), on all cores
// and in memory that does not grow with the text.
//
// [Run] does the whole: for one language ([Options.OnlySource]) dict.txt and
// SPLIT.bin and .idx, for a pair dict.LANG.txt and SPLIT.SRC-TGT.LANG.bin and
// .idx. [CountFile] and [EncodeFile] are its two passes over a file.
//
// Word alignments (--align-suffix, --alignfile) are not made: no Mega model
// reads them.
package preprocess
