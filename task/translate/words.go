package translate

import (
	"strings"

	"github.com/mega-go/mega/data"
)

// decode returns the words of ids with spaces between, <s> and </s> left out, and
// unknown for <unk>.
func decode(d *data.Dictionary, ids []int32, unknown string) string {
	words := make([]string, 0, len(ids))
	for _, id := range ids {
		switch id {
		case data.BOS, data.EOS:
		case data.Unknown:
			words = append(words, unknown)
		default:
			words = append(words, d.Symbol(id))
		}
	}
	return strings.Join(words, " ")
}
