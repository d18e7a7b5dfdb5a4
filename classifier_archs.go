package mega

import (
	"maps"
	"slices"
)

// classifierArchs holds the classifier architectures of the reference by name
// (fairseq/models/lra/model.py:351-666 and
// fairseq/models/speech_commands/model.py:177-229), with its defaults for
// everything that an architecture leaves open.
var classifierArchs = map[string]func() ClassifierConfig{
	"mega_lra_listop": func() ClassifierConfig {
		c := lraText(6, 80, 160, 64, 2002)
		c.NormType, c.SentenceClassNum = "scalenorm", 10
		return c
	},
	"mega_lra_imdb": func() ClassifierConfig { return lraText(4, 128, 256, 64, 4002) },
	// The reference leaves this one's norm_type open and fails without it; its
	// README gives scalenorm.
	"mega_lra_aan": func() ClassifierConfig {
		c := lraText(6, 128, 256, 64, 4002)
		c.ClassifierInDim = 2 * c.EncoderEmbedDim
		return c
	},
	"mega_lra_cifar10": func() ClassifierConfig {
		c := lraImage(8, 160, 320, 96, 32*32)
		c.SentenceClassNum = 10
		return c
	},
	"mega_lra_pf32": func() ClassifierConfig { return lraImage(6, 128, 256, 64, 32*32) },
	"mega_lra_pf128": func() ClassifierConfig {
		c := lraImage(4, 64, 128, 32, 128*128)
		c.TruncationLength = 4096
		return c
	},
	"mega_sc_raw":      func() ClassifierConfig { return speech(60, 120, 30) },
	"mega_sc_raw_base": func() ClassifierConfig { return speech(60, 120, 30) },
	"mega_sc_raw_big":  func() ClassifierConfig { return speech(72, 144, 36) },
}

// ClassifierArch returns the configuration that the reference registers under an
// architecture name. VocabSize is left to the caller for text.
func ClassifierArch(name string) (ClassifierConfig, error) {
	c, err := arch(classifierArchs, "", name)
	c.Arch = name
	return c, err
}

// ClassifierArchs lists the classifier architectures.
func ClassifierArchs() []string { return slices.Sorted(maps.Keys(classifierArchs)) }

// lraBase is what the reference's base_architecture fills in.
func lraBase(layers, dim, hidden, z, maxPositions int) ClassifierConfig {
	return ClassifierConfig{
		Seed: 1, MaxPositions: maxPositions, SenRepType: SenRepMean,
		EncoderLayers: layers, EncoderEmbedDim: dim, EncoderHiddenDim: hidden, EncoderFFNEmbedDim: hidden,
		ZDim: z, NDim: 16, ActivationFn: "silu", AttentionActivationFn: "relu2",
		RelPosBias: RelPosSimple, TruncationLength: 1024,
		Dropout: 0.1, AttentionDropout: 0.1,
		ClassifierLayers: 1, ClassifierInDim: dim, ClassifierOutDim: hidden,
		ClassifierActivationFn: "gelu", SentenceClassNum: 2,
	}
}

func lraText(layers, dim, hidden, z, maxPositions int) ClassifierConfig {
	c := lraBase(layers, dim, hidden, z, maxPositions)
	c.InputType, c.NormType, c.ChunkSize = InputText, "scalenorm", -1
	return c
}

func lraImage(layers, dim, hidden, z, pixels int) ClassifierConfig {
	c := lraBase(layers, dim, hidden, z, pixels)
	c.InputType, c.NormType, c.ChunkSize = InputImage, "batchnorm", pixels
	return c
}

func speech(dim, hidden, z int) ClassifierConfig {
	c := lraBase(6, dim, hidden, z, 16000)
	c.InputType, c.NormType, c.AttentionActivationFn = InputAudio, "batchnorm", "laplace"
	c.EncoderNormalizeBefore = true
	c.ChunkSize, c.TruncationLength = 1000, 1000
	c.Dropout, c.AttentionDropout = 0, 0
	c.ClassifierOutDim, c.SentenceClassNum = 2*dim, 10
	return c
}
