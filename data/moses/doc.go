// Package moses splits text into words and punctuation and joins them again, like the
// Moses toolkit's tokenizer.perl and detokenizer.perl, with which fairseq's recipes
// for translation prepare their text. Punctuation stands apart, a period stays with an
// abbreviation or a number, a hyphen between letters becomes @-@, and characters that
// mean something to Moses (& | < > ' " [ ]) are escaped.
//
// English and German come out as from tokenizer.perl -a and detokenizer.perl.
// French and Italian have their rules for apostrophes but not their abbreviations.
// Other languages get the rules that all have in common. There are no rules for
// protected patterns (web addresses are split), Finnish, Czech and CJK.
package moses
