package mega_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/mega-go/mega"
)

// near wants a count within the digits that were published: half a unit of the
// last.
func near(t *testing.T, name string, got int, want, unit float64) {
	t.Helper()
	if math.Abs(float64(got)-want) > unit/2 {
		t.Errorf("%s has %d parameters, want about %.0f", name, got, want)
	}
}

// TestArchSizes holds parameter counts against those that were recomputed from
// the reference's code (343 k, 475.9 k, 252.24 M, 39.14 M, 63.1 M) and, where it
// gives one, its paper (252 M, 39 M).
func TestArchSizes(t *testing.T) {
	for name, want := range map[string]float64{"mega_sc_raw": 343e3, "mega_sc_raw_base": 343e3} {
		near(t, name, classifierArch(t, name).ParameterCount(), want, 1e3)
	}
	near(t, "mega_sc_raw_big", classifierArch(t, "mega_sc_raw_big").ParameterCount(), 475.9e3, 100)

	for _, name := range []string{"mega_lm_wiki103", "mega_lm_adaptive_big"} {
		c := languageModelArch(t, name)
		c.VocabSize, c.NormalizeBefore, c.NoAffineFinalNorm = 267744, true, true
		c.RelPosBias, c.DecoderChunkSize = "rotary", 1024
		near(t, name, c.ParameterCount(), 252.24e6, 1e4)
	}
	c := languageModelArch(t, "mega_lm_enwik8_base")
	c.VocabSize, c.ShareDecoderInputOutputEmbed, c.NormalizeBefore, c.NoAffineFinalNorm = 208, true, true, true
	c.RelPosBias, c.DecoderChunkSize = "rotary", 2048
	near(t, "mega_lm_enwik8_base", c.ParameterCount(), 39.14e6, 1e4)

	v, err := mega.VisionArch("mega_base_patch16_224") // 90 M in the paper
	if err != nil {
		t.Fatal(err)
	}
	near(t, v.Arch, v.ParameterCount(), 90.7e6, 1e5)

	tr, err := mega.TranslatorArch("mega_wmt_en_de")
	if err != nil {
		t.Fatal(err)
	}
	tr.SourceVocabSize, tr.TargetVocabSize, tr.ShareAllEmbeddings = 32768, 32768, true
	near(t, "mega_wmt_en_de", tr.ParameterCount(), 63.1e6, 1e5)
}

// TestArchsAreValid: every preset makes a model once the caller has said what
// it leaves open.
func TestArchsAreValid(t *testing.T) {
	for _, name := range mega.ClassifierArchs() {
		c := classifierArch(t, name)
		if c.Tokens() {
			c.VocabSize = 100
		}
		if err := c.Validate(); err != nil || c.Arch != name {
			t.Errorf("%s: arch %q, %v", name, c.Arch, err)
		}
	}
	for _, name := range mega.LanguageModelArchs() {
		c := languageModelArch(t, name)
		c.VocabSize = 70000
		if err := c.Validate(); err != nil || c.Arch != name {
			t.Errorf("%s: arch %q, %v", name, c.Arch, err)
		}
	}
	for _, name := range mega.VisionArchs() {
		c, err := mega.VisionArch(name)
		if err = errors.Join(err, c.Validate()); err != nil || c.Arch != name {
			t.Errorf("%s: arch %q, %v", name, c.Arch, err)
		}
	}
	for _, name := range mega.TranslatorArchs() {
		c, err := mega.TranslatorArch(name)
		c.SourceVocabSize, c.TargetVocabSize = 100, 100
		if err := c.Validate(); err != nil || c.Arch != name {
			t.Errorf("%s: arch %q, %v", name, c.Arch, err)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// TestArchsDiffer: presets of one kind are not each other's names, but where
// the reference has two names for one architecture.
func TestArchsDiffer(t *testing.T) {
	same := map[string]string{"mega_sc_raw_base": "mega_sc_raw"}
	names := mega.ClassifierArchs()
	for i, a := range names {
		for _, b := range names[:i] {
			x, y := classifierArch(t, a), classifierArch(t, b)
			x.Arch, y.Arch = "", ""
			if x == y && same[a] != b && same[b] != a {
				t.Errorf("%s is %s", a, b)
			}
		}
	}
}

func TestUnknownArch(t *testing.T) {
	_, a := mega.ClassifierArch("mega_lra_imbd")
	_, b := mega.LanguageModelArch("mega_lm_enwik9")
	_, c := mega.TranslatorArch("mega_wmt")
	_, d := mega.VisionArch("mega_huge")
	for want, err := range map[string]error{"mega_lra_imdb": a, "mega_lm_enwik8_base": b, "mega_wmt_en_de": c, "mega_tiny_patch16_224": d} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want the known names", err)
		}
	}
}

func classifierArch(t *testing.T, name string) mega.ClassifierConfig {
	t.Helper()
	c, err := mega.ClassifierArch(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func languageModelArch(t *testing.T, name string) mega.LanguageModelConfig {
	t.Helper()
	c, err := mega.LanguageModelArch(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
