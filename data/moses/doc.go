// Package moses parts text into words and marks, and puts them together again, in
// the manner of the Moses toolkit's tokenizer.perl and detokenizer.perl, which
// fairseq's recipes for translation prepare their text with: marks stand apart,
// a period stays with an abbreviation or a number, a hyphen between letters
// becomes @-@, and what means something to Moses (& | < > ' " [ ]) is escaped.
//
// English and German come out as from tokenizer.perl -a and detokenizer.perl.
// French and Italian apostrophes have rules of their own, but there are no
// abbreviations of these languages; others are treated by the rules that all have
// in common. It has no rules for protected patterns (addresses of the web are
// parted), Finnish, Czech and CJK.
package moses
