package translate

import (
	"fmt"
	"io"
	"strings"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/textfile"
)

// copyUnknown is the value of replace_unk without a file.
const copyUnknown = "source"

// An unknownReplacer puts in place of <unk> in a translation the source token
// that it attends to most, or what a dictionary has for that (fairseq utils.py,
// replace_unk). nil leaves <unk> alone.
type unknownReplacer struct{ dictionary map[string]string }

// newUnknownReplacer reads a dictionary: lines of a source token and its
// translation. None is needed to copy source tokens; with "" nothing is replaced.
func newUnknownReplacer(replace string) (*unknownReplacer, error) {
	switch replace {
	case "":
		return nil, nil
	case copyUnknown:
		return &unknownReplacer{}, nil
	}
	u := &unknownReplacer{map[string]string{}}
	err := textfile.Open("replacement", replace, func(r io.Reader, name string) error {
		return textfile.EachLine(r, name, func(line []byte) error {
			words := textfile.Fields(string(line))
			if len(words) < 2 {
				return fmt.Errorf("%q, want a source token and its translation", line)
			}
			u.dictionary[words[0]] = words[1]
			return nil
		})
	})
	return u, err
}

// decode is Decode of a dictionary for a hypothesis with its attention, given the ids
// and the words of its source, without </s>.
func (u *unknownReplacer) decode(d *data.Dictionary, h generate.Hypothesis, unknown string, source []int32, words []string) string {
	if u == nil {
		return d.Decode(h.Tokens, unknown)
	}
	var out []string
	for k, id := range h.Tokens {
		if id != data.Unknown {
			if word := d.Decode(h.Tokens[k:k+1], unknown); word != "" {
				out = append(out, word)
			}
			continue
		}
		word := unknown
		if at := attended(h, k, source); at >= 0 && at < len(words) {
			word = words[at]
			if other, ok := u.dictionary[word]; ok {
				word = other
			}
		}
		out = append(out, word)
	}
	return strings.Join(out, " ")
}

// attended returns which source token, </s> left out, token k of a hypothesis
// attends to most, −1 if that is not known.
func attended(h generate.Hypothesis, k int, source []int32) int {
	best := -1
	if k >= len(h.Attention) {
		return best
	}
	for j, weight := range h.Attention[k] {
		if source[j] != data.EOS && (best < 0 || weight > h.Attention[k][best]) {
			best = j
		}
	}
	return best
}
