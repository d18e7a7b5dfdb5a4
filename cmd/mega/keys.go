package main

import (
	"regexp"
	"strings"

	"github.com/spf13/pflag"
)

// keyPattern matches what may be the key of a configuration in an error: several
// words as in source_lang, one that is no word of English, one in parentheses, or one
// that begins what is wrong, as in "beam is 0".
var keyPattern = regexp.MustCompile(`(?m)(^|[ (])([a-z][a-z0-9]*(?:_[a-z0-9]+)+|(?:dest|src|tgt)(?:dir|dict)|(?:train|valid|test)pref|overwrite)|` +
	`(^|[:;] )([a-z][a-z0-9-]*) is |(\()([a-z][a-z0-9-]*)\)`)

// modelFile matches the name of a file of a model or a line of records at the beginning of what is
// wrong with it, where keys are those of the file but for advice in parentheses.
var modelFile = regexp.MustCompile(`(\.(json|pt|safetensors)|(\.jsonl|-):\d+): `)

// inFlags writes the keys of an error, by which the library complains, as the
// flags of the command that stand for them.
func inFlags(message string, flags *pflag.FlagSet) string {
	inFile := modelFile.MatchString(message)
	return keyPattern.ReplaceAllStringFunc(message, func(match string) string {
		m := keyPattern.FindStringSubmatch(match)
		key := m[2] + m[4] + m[6]
		name := flagName(key)
		if flags.Lookup(name) == nil || inFile && m[1]+m[5] != "(" {
			return match
		}
		return strings.Replace(match, key, "--"+name, 1)
	})
}
