package main

import (
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/internal/spell"
	"github.com/mega-go/mega/recipe"
	"github.com/spf13/cobra"
)

func newPresets() *cobra.Command {
	return &cobra.Command{
		Use:   "presets [NAME]",
		Short: "List presets and architectures, or print one as a command",
		Long: `presets lists the recipes of mega train --preset and the architectures of mega
train --arch. With the name of one it prints the whole command that it stands for,
ready for a shell.`,
		Example: `  mega presets
  mega presets lra-image
  mega presets mega_lm_enwik8_base`,
		Args: atMostArgs(1, "the name of a preset or an architecture"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return presetNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return printPreset(cmd.OutOrStdout(), args[0])
			}
			return toFit(cmd.OutOrStdout(), listPresets)
		},
	}
}

// An archInfo is an architecture as mega presets shows it.
type archInfo struct{ name, kind, use string }

// archInfos are the architectures, all of the reference's.
var archInfos = []archInfo{
	{"mega_lra_listop", classifier, "expressions of ListOps"},
	{"mega_lra_imdb", classifier, "texts of bytes (IMDB)"},
	{"mega_lra_aan", classifier, "pairs of texts of bytes (AAN)"},
	{"mega_lra_cifar10", classifier, "pictures as pixels in a row (CIFAR-10)"},
	{"mega_lra_pf32", classifier, "pictures of 32×32 pixels (Pathfinder)"},
	{"mega_lra_pf128", classifier, "pictures of 128×128 pixels (Path-X)"},
	{"mega_sc_raw", classifier, "sound; the same as mega_sc_raw_base"},
	{"mega_sc_raw_base", classifier, "sound (Speech Commands)"},
	{"mega_sc_raw_big", classifier, "sound (Speech Commands), big"},
	{"mega_lm", languageModel, "words; small"},
	{"mega_lm_big", languageModel, "words; big"},
	{"mega_lm_wiki103", languageModel, "many words (WikiText-103)"},
	{"mega_lm_adaptive_base", languageModel, "many words; smaller"},
	{"mega_lm_adaptive_big", languageModel, "many words; as mega_lm_wiki103"},
	{"mega_lm_enwik8_base", languageModel, "bytes (enwik8)"},
	{"mega_lm_enwik8_large", languageModel, "bytes (enwik8), big"},
	{"mega", translator, "the defaults of translators"},
	{"mega_wmt_en_de", translator, "sentences (WMT'16)"},
	{"mega_wmt_en_de_big", translator, "sentences (WMT'16), big"},
	{"mega_tiny_patch16_224", pictureClassifier, "colour pictures; tiny"},
	{"mega_base_patch16_224", pictureClassifier, "colour pictures (ImageNet)"},
}

// config returns the architecture's configuration.
func (a archInfo) config() (mega.Config, error) {
	kinds := trainKinds()
	return kinds[slices.IndexFunc(kinds, func(k modelKind) bool { return k.name() == a.kind })].config(a.name)
}

// presetNames lists the recipes, then the architectures.
func presetNames() []string {
	names := recipe.Names()
	for _, a := range archInfos {
		names = append(names, a.name)
	}
	return names
}

// printPreset prints the command that a recipe or an architecture stands for.
func printPreset(w io.Writer, name string) error {
	if i := slices.IndexFunc(archInfos, func(a archInfo) bool { return a.name == name }); i >= 0 {
		return printArch(w, archInfos[i])
	}
	names := presetNames()
	if !slices.Contains(names, name) {
		if near := spell.Nearest(name, names); near != "" {
			return usagef("unknown preset %q, did you mean %q?", name, near)
		}
		if begun := beginningWith(name, names); len(begun) > 0 {
			return usagef("unknown preset %q, want one of %s", name, strings.Join(begun, ", "))
		}
		return usagef("unknown preset %q; mega presets lists them", name)
	}
	r, err := recipe.Find(name)
	if err != nil {
		return err
	}
	return printCommand(w, r.Summary, r.Flags)
}

// beginningWith returns the names that begin with a word.
func beginningWith(word string, names []string) (begun []string) {
	for _, name := range names {
		if word != "" && strings.HasPrefix(name, word) {
			begun = append(begun, name)
		}
	}
	return begun
}

func printArch(w io.Writer, a archInfo) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	flags := []string{"--arch", a.name}
	for name, field := range flagFields(reflect.TypeOf(c)) {
		value := reflect.ValueOf(c).FieldByIndex(field.Index)
		switch text := formatField(value); {
		case name == "arch" || name == "num-classes" || value.IsZero(): // the data has classes
		case value.Kind() == reflect.Bool:
			flags = append(flags, "--"+name)
		default:
			flags = append(flags, "--"+name, text)
		}
	}
	return printCommand(w, a.kind+": "+a.use, flags)
}

// printCommand prints flags of mega train, each once, as its last value is the one
// that counts.
func printCommand(w io.Writer, summary string, flags []string) error {
	var groups [][]string // a flag and its values
	for _, f := range flags {
		if strings.HasPrefix(f, "--") || len(groups) == 0 {
			groups = slices.DeleteFunc(groups, func(g []string) bool { return g[0] == f })
			groups = append(groups, nil)
		}
		last := &groups[len(groups)-1]
		*last = append(*last, quoted(f))
	}
	text := "# " + summary + "\nmega train"
	for _, g := range groups {
		text += " \\\n    " + strings.Join(g, " ")
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quoted returns a word as a shell takes it for itself.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func listPresets(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "PRESET\tFOR mega train --preset")
	for _, name := range recipe.Names() {
		r, err := recipe.Find(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(tw, "%s\t%s\n", r.Name, r.Summary)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, kind := range modelKinds {
		fmt.Fprintf(tw, "\nFor %s (mega train --arch NAME):\nARCHITECTURE\tLAYERS\tWIDTH\tWEIGHTS\tOF\n", kind)
		for _, a := range archInfos {
			if a.kind != kind {
				continue
			}
			c, err := a.config()
			if err != nil {
				return err
			}
			fmt.Fprintf(tw, "%s\t%v\t%v\t%s\t%s\n", a.name, sizeOf(c, "Layers"), sizeOf(c, "EmbedDim"), inMillions(c.ParameterCount()), a.use)
		}
	}
	return tw.Flush()
}

// sizeOf returns a size of the decoder, or of the encoder where there is none, or of
// a model that is neither.
func sizeOf(c mega.Config, what string) any {
	v := reflect.ValueOf(c)
	if f := v.FieldByName("Decoder" + what); f.IsValid() {
		return f
	}
	if f := v.FieldByName("Encoder" + what); f.IsValid() {
		return f
	}
	return v.FieldByName(map[string]string{"Layers": "Depth", "EmbedDim": "EmbedDim"}[what])
}

// inMillions writes how many parameters a model has beside those of its words. An
// adaptive softmax, which has nothing without words, has none to tell.
func inMillions(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f M", float64(n)/1e6)
}
