package generate

import (
	"math"

	"github.com/mega-go/mega/internal/config"
)

// Options say how texts are made. The JSON names are the reference's argument
// names.
type Options struct {
	Beam  int `json:"beam" help:"hypotheses kept side by side for each text"`
	NBest int `json:"nbest" range:"1," help:"how many of those to return; all if there are fewer"`

	MaxLenA        float64 `json:"max_len_a" help:"texts have at most a·x + b tokens, x being the length of the source: a"`
	MaxLenB        int     `json:"max_len_b" help:"and b"`
	MatchSourceLen bool    `json:"match_source_len" help:"texts have at most as many tokens as their source, whatever a and b"`
	MinLen         int     `json:"min_len" help:"fewest tokens of a text, </s> not counted"`

	Unnormalized bool    `json:"unnormalized" help:"compare hypotheses by their whole log-probability, not by the mean of a token's"`
	LenPen       float64 `json:"lenpen" help:"the log-probability is divided by the length to this power: below 1 for shorter texts, above 1 for longer ones"`
	UnkPen       float64 `json:"unkpen" help:"taken off the log-probability of <unk>: above 0 for fewer, below 0 for more"`

	NoEarlyStop bool `json:"no_early_stop" help:"search until no unfinished hypothesis can do better, not only until a full beam has ended: a likely text is then not lost to shorter ones that end first"`

	NoRepeatNgramSize int `json:"no_repeat_ngram_size" help:"no sequence of this many tokens occurs twice in a text; 0 allows it"`

	Sampling     bool    `json:"sampling" help:"draw each token at random by its probability instead of searching"`
	SamplingTopK int     `json:"sampling_topk" help:"draw only from this many of the likeliest tokens; 0 or less for all"`
	SamplingTopP float64 `json:"sampling_topp" help:"draw from the fewest tokens whose probabilities exceed this together; 0 or less for all"`
	Temperature  float64 `json:"temperature" help:"divides what the softmax is taken of: above 1 for more variety, below 1 for less"`
	Seed         uint64  `json:"seed" help:"fixes what is drawn"`

	DiverseBeamGroups   int     `json:"diverse_beam_groups" help:"diverse beam search: groups that avoid each other's tokens; 0 or less for none"`
	DiverseBeamStrength float64 `json:"diverse_beam_strength" help:"taken off a token's log-probability for each earlier group that chose it"`
	DiversityRate       float64 `json:"diversity_rate" help:"diverse siblings search: taken off for each rank among the successors of one hypothesis; 0 or less for none"`
}

// DefaultOptions returns the reference's defaults (options.py, generation).
func DefaultOptions() Options {
	return Options{
		Beam: 5, NBest: 1, MaxLenB: 200, MinLen: 1, LenPen: 1, SamplingTopK: -1, SamplingTopP: -1,
		Temperature: 1, Seed: 1, DiverseBeamGroups: -1, DiverseBeamStrength: 0.5, DiversityRate: -1,
	}
}

// Validate reports options that are impossible or contradict each other.
func (o Options) Validate() error {
	var v config.Complaints
	v.AtLeast("beam", o.Beam, 1)
	v.AtLeast("nbest", o.NBest, 1)
	v.Check(!o.Sampling || o.NBest == o.Beam, "sampling draws as many texts as beam says, %d, and nbest is %d: want them equal", o.Beam, o.NBest)
	v.AtLeast("min_len", o.MinLen, 0)
	v.NotNegative("max_len_a", o.MaxLenA)
	numbers := map[string]float64{
		"lenpen": o.LenPen, "unkpen": o.UnkPen, "sampling_topp": o.SamplingTopP,
		"diverse_beam_strength": o.DiverseBeamStrength, "diversity_rate": o.DiversityRate,
	}
	for name, x := range numbers {
		v.Check(!math.IsNaN(x) && !math.IsInf(x, 0), "%s is %g, want a number", name, x)
	}
	v.AtLeast("max_len_b", o.MaxLenB, 0)
	v.AtLeast("no_repeat_ngram_size", o.NoRepeatNgramSize, 0)
	v.Check(o.Temperature > 0 && !math.IsInf(o.Temperature, 0), "temperature is %g, want more than 0", o.Temperature)
	v.Check(o.SamplingTopP <= 1, "sampling_topp is %g, want at most 1", o.SamplingTopP)
	v.Check(o.Sampling || o.SamplingTopK <= 0 && o.SamplingTopP <= 0, "sampling_topk and sampling_topp have no effect without sampling")
	v.Check(o.SamplingTopK <= 0 || o.SamplingTopP <= 0, "sampling_topk and sampling_topp exclude each other")
	ways := 0
	for _, on := range []bool{o.Sampling, o.DiverseBeamGroups > 0, o.DiversityRate > 0} {
		if on {
			ways++
		}
	}
	v.Check(ways <= 1, "sampling, diverse_beam_groups and diversity_rate exclude each other")
	v.Check(o.DiverseBeamGroups <= 0 || o.Beam%o.DiverseBeamGroups == 0,
		"beam is %d, want a multiple of diverse_beam_groups, %d", o.Beam, o.DiverseBeamGroups)
	return v.Err()
}

// MaxLen returns the most tokens of a text, without </s>, given the number of tokens
// of its source, with </s>, and of the model's positions.
func (o Options) MaxLen(source, positions int) int {
	if o.MatchSourceLen {
		return min(source, positions) - 1
	}
	return int(min(o.MaxLenA*float64(source)+float64(o.MaxLenB), float64(positions-1)))
}

// cap bounds the beam by the symbols that it can choose from, all but padding
// (sequence_generator.py:73), and the texts to give by the beam.
func (o *Options) cap(vocab int) {
	o.Beam = min(o.Beam, max(vocab-1, 1))
	o.NBest = min(o.NBest, o.Beam)
}
