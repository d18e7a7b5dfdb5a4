package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/progress"
	"github.com/mega-go/mega/internal/textfile"
	"github.com/mega-go/mega/task/language"
	"github.com/mega-go/mega/train"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// A generateCommand is the command line of mega generate.
type generateCommand struct {
	model textModelFlags

	prompts     []string
	promptFiles []string
	promptList  string
	stop        []string
	saveState   string
	loadState   string
	noEcho      bool
	json        bool
	options     *binding
	search      *binding
	pairs       splitFlags
}

func newGenerate() *cobra.Command {
	c := &generateCommand{}
	cmd := &cobra.Command{
		Use:   "generate MODEL PROMPT | TRANSLATOR DATA",
		Short: "Continue texts with a language model, or translate a split of data",
		Long: `generate reads prompts with a language model, whole chunks in parallel, and
continues them token by token. Each token takes the same time and memory however
much has been read. The model's dictionary says whether the prompt is read by bytes
or by words; between words, </s> stands for the end of a line.

--save-state keeps the state after a text. With --load-state generation continues
from it as if there had been no break.

With a translator, or several with colons between, it translates a split of DATA
and prints the lines of fairseq's generate.py: sources (S-), targets (T-),
hypotheses with scores in base 2 (H-, D-), the scores of their tokens (P-), and
BLEU.`,
		Example: `  mega generate runs/bytes-small 'func main() {' --temperature 0.7 --top-p 0.95
  mega generate runs/bytes-small --prompt-file book.txt --max-len-b 0 --save-state book.state
  mega generate runs/bytes-small --load-state book.state --prompt 'Chapter 2' --nbest 3
  mega generate data-bin/wikitext-103 --path model.pt --prompt 'The game was' --beam 4
  mega generate data-bin/wmt16 --path model.pt --batch-size 300 --remove-bpe '@@ ' --beam 5 --lenpen 0.5`,
		Args: atMostArgs(1, "a prompt or the directory of the data, beside the model"),
		RunE: c.model.onDevice(c.run),
	}
	c.addFlags(cmd.Flags())
	takesModel(cmd, &c.model.path)
	return cmd
}

func (c *generateCommand) addFlags(flags *pflag.FlagSet) {
	c.model.addFlags(flags)
	addJoinTimeout(flags)
	addFlagsFor(flags, languageModel, func() { c.addLanguageFlags(flags) })
	addFlagsFor(flags, translator, func() { c.pairs.addFlags(flags) })
	search := generate.DefaultOptions()
	c.search = bindShared(flags, &search)
	flags.Lookup("beam").Usage = "hypotheses of a beam search; for a language model, search instead of drawing at random"
	markFlag(flags, "sampling", translator) // a language model draws without being told to
	flags.BoolVar(&c.json, "json", false, "print JSON, a line for each continuation")
	addReference(flags, generateIgnored, trainingOnly)
}

// addLanguageFlags adds the flags for language models.
func (c *generateCommand) addLanguageFlags(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&c.prompts, "prompt", "p", nil, "text to continue; may be given several times")
	flags.StringArrayVar(&c.promptFiles, "prompt-file", nil, "file whose whole text to continue; may be given several times")
	flags.StringVar(&c.promptList, "prompts", "", "file of prompts, one a line; - for standard input")
	c.options = addContinueFlags(flags, &c.stop)
	flags.StringVar(&c.saveState, "save-state", "", "file to keep what has been read in, the continuation included")
	flags.StringVar(&c.loadState, "load-state", "", "state that --save-state wrote, from which to continue with the prompt")
	flags.BoolVar(&c.noEcho, "no-echo", false, "print the continuation alone, without the prompt")
}

// generateIgnored are flags of the reference that generate has no use for.
var generateIgnored = map[string]string{
	"task":  "the checkpoint says what it is",
	"quiet": "results go to standard output, the rest to standard error",
}

// trainingOnly are flags of the task of translation that only training reads.
var trainingOnly = map[string]string{
	"upsample-primary": "it is for mega train", "eval-bleu": "it is for mega train", "eval-bleu-args": "it is for mega train",
	"eval-bleu-detok": "it is for mega train", "eval-bleu-detok-args": "it is for mega train", "eval-tokenized-bleu": "it is for mega train",
	"eval-bleu-remove-bpe": "it is for mega train", "eval-bleu-print-samples": "it is for mega train",
}

// addContinueFlags adds the flags that say how texts are continued.
func addContinueFlags(flags *pflag.FlagSet, stop *[]string) *binding {
	o := generate.DefaultContinueOptions()
	b := bind(flags, &o)
	flags.StringArrayVar(stop, "stop", nil, "string before which a text ends; may be given several times")
	return b
}

// textModelFlags name a language model and its dictionary.
type textModelFlags struct {
	path      string
	overrides string
	dict      string
	workers   int
	bf16      bool
	device    deviceFlags
	on        device.Device // that the device's name stands for, nil for the CPU
}

func (f *textModelFlags) addFlags(flags *pflag.FlagSet) {
	addCheckpoint(flags, &f.path)
	flags.StringVar(&f.overrides, "model-overrides", "{}", overridesHelp)
	flags.StringVar(&f.dict, "dict", "", "dictionary of the model (default: the one that the checkpoint names)")
	threads(flags, &f.workers, "workers", "threads that compute; 0 for all cores. The result does not depend on it")
	addBF16(flags, &f.bf16)
	addDevice(flags, &f.device)
}

// onDevice returns the RunE of a command that runs while on is the device that the flags
// name.
func (f *textModelFlags) onDevice(run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return runOnDevice(&f.device, func(cmd *cobra.Command, args []string, d device.Device) error {
		f.on = d
		return run(cmd, args)
	})
}

// check reports a model of another kind, and names the command that uses it.
func (f *textModelFlags) check() error {
	ck, err := openCheckpoint(f.path)
	if err != nil {
		return err
	}
	defer ck.Close()
	switch ck.Task {
	case checkpoint.LanguageModelling:
		return nil
	case checkpoint.Translation:
		return usagef("%s is a translator: mega translate translates text", f.path)
	}
	return usagef("%s is a classifier: mega classify says what class texts are of", f.path)
}

// open makes the language model; args may name the directory of its data.
func (f *textModelFlags) open(cmd *cobra.Command, args []string) (*language.Model, error) {
	if f.path == "" {
		return nil, errNoModel
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	overrides, err := parseOverrides(cmd.ErrOrStderr(), f.overrides)
	if err != nil {
		return nil, err
	}
	jobOf(cmd).use(f.workers)
	o := language.OpenOptions{Overrides: overrides, Dict: f.dict, BF16: f.bf16, Device: f.on}
	if len(args) == 1 {
		o.Data = args[0]
	}
	return language.Open(f.path, o)
}

func (c *generateCommand) run(cmd *cobra.Command, args []string) error {
	flags := cmd.Flags()
	prompted := flags.Changed("prompt") || flags.Changed("prompt-file") || flags.Changed("prompts")
	if translates(c.model.path) {
		if prompted || len(args) == 1 && !exists(args[0]) {
			return usagef("%s is a translator, and mega generate translates a split of its data: mega translate %[1]s translates text", c.model.path)
		}
		tellFlagsFor(cmd.ErrOrStderr(), flags, translator)
		return c.runPairs(cmd, args)
	}
	if !prompted && !flags.Changed("checkpoint") && !flags.Changed("path") {
		c.prompts, args = args, nil
	}
	if flags.Changed("max-tokens") {
		return usagef("--max-tokens is for batches of a translator; --max-len-b N says how many tokens to generate at most")
	}
	tellFlagsFor(cmd.ErrOrStderr(), flags, languageModel)
	return c.runLanguage(cmd, args)
}

// runLanguage continues texts.
func (c *generateCommand) runLanguage(cmd *cobra.Command, args []string) error {
	how, err := c.decoding()
	if err != nil {
		return usage(err)
	}
	if c.model.path != "" { // it may be of a translator, which takes no prompt, if it could be read
		if err := c.model.check(); err != nil {
			return err
		}
	}
	prompts, err := c.shareTexts(cmd)
	if err == nil {
		err = c.check(prompts, how)
	}
	if err != nil {
		return usage(err)
	}
	m, err := c.model.open(cmd, args)
	if err != nil {
		return err
	}
	first, err := c.begin(m)
	if err != nil {
		return err
	}
	g := generating{
		generateCommand: c, cmd: cmd, model: m, how: how, first: first, out: textOutput(cmd), notes: cmd.ErrOrStderr(),
		stream: len(prompts)*how.search.NBest == 1 && !c.json && !how.beam,
	}
	if err := g.all(prompts); err != nil {
		return err
	}
	g.tell()
	if c.saveState == "" || !jobOf(cmd).first() {
		return nil
	}
	return saveState(c.saveState, g.texts[0])
}

// mostTexts is how many texts are continued side by side: each takes the memory
// of a session.
const mostTexts = 64

// decoding is how texts are continued: drawn at random or searched for.
type decoding struct {
	draw   generate.ContinueOptions
	search generate.Options
	beam   bool // search, do not draw
}

// decoding reads the flags.
func (c *generateCommand) decoding() (decoding, error) {
	w := decoding{draw: generate.DefaultContinueOptions(), search: generate.DefaultOptions()}
	w.draw.Stop = c.stop
	w.search.MinLen = w.draw.MinLen
	if err := errors.Join(c.options.apply(&w.draw), c.search.apply(&w.search)); err != nil {
		return w, err
	}
	flags := c.search.flags
	if w.beam = flags.Changed("beam"); w.beam {
		for _, name := range []string{"min-p", "repetition-penalty", "repetition-window"} {
			if flags.Changed(name) {
				return w, fmt.Errorf("--%s is for texts drawn at random, and --beam searches", name)
			}
		}
		return w, w.search.Validate()
	}
	for _, name := range []string{"lenpen", "unkpen", "unnormalized", "no-repeat-ngram-size", "diverse-beam-groups", "diverse-beam-strength", "diversity-rate"} {
		if flags.Changed(name) {
			return w, fmt.Errorf("--%s is for a search: give --beam N too", name)
		}
	}
	return w, w.draw.Validate()
}

// A prompt is a text to continue and where it is from, for errors.
type prompt struct{ Text, From string }

// shareTexts returns what texts returns in the first of several processes: only that one
// has a standard input.
func (c *generateCommand) shareTexts(cmd *cobra.Command) ([]prompt, error) {
	var lists [][]prompt
	if jobOf(cmd).first() {
		prompts, err := c.texts(inputOf(cmd))
		if err != nil {
			return nil, err
		}
		lists = append(lists, prompts)
	}
	lists, err := train.Collect(processes(cmd.Context()), "prompts", lists, 1)
	if err != nil {
		return nil, err
	}
	return lists[0], nil
}

// texts returns the prompts that the flags name. With none of them and a saved
// state the text continues from there.
func (c *generateCommand) texts(stdin io.Reader) (prompts []prompt, err error) {
	for i, text := range c.prompts {
		prompts = append(prompts, prompt{text, fmt.Sprintf("prompt %d", i+1)})
	}
	for _, path := range c.promptFiles {
		text, err := readText(path, stdin)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		prompts = append(prompts, prompt{string(text), path})
	}
	if c.promptList != "" {
		in, err := openInput(c.promptList, stdin)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		number := 0
		err = textfile.EachLine(in, c.promptList, func(line []byte) error {
			number++
			prompts = append(prompts, prompt{string(line), fmt.Sprintf("%s:%d", c.promptList, number)})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(prompts) == 0 && c.loadState != "" {
		prompts = []prompt{{From: c.loadState}}
	}
	return prompts, nil
}

// readText reads all that openInput opens, without a mark of its encoding.
func readText(path string, stdin io.Reader) ([]byte, error) {
	f, err := openInput(path, stdin)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return textfile.SkipMark(text)
}

// openInput opens a file, or standard input for -.
func openInput(path string, stdin io.Reader) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(stdin), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && textfile.IsDevice(info) && path != os.DevNull && !term.IsTerminal(int(f.Fd())) {
		return nil, errors.Join(fmt.Errorf("%s: is a device, want a file, a pipe or a terminal", path), f.Close())
	}
	return f, nil
}

func (c *generateCommand) check(prompts []prompt, how decoding) error {
	switch {
	case len(prompts) == 0:
		return errors.New("no prompt is given, want one after the model, --prompt TEXT, --prompt-file FILE or --prompts FILE")
	case c.saveState != "" && how.beam:
		return errors.New("--save-state keeps a text that is drawn, not the many of a search: give it without --beam")
	case c.saveState != "" && len(prompts)*how.search.NBest > 1:
		return fmt.Errorf("--save-state keeps one text, and there are %d", len(prompts)*how.search.NBest)
	}
	return nil
}

// generating is one call of mega generate with a language model.
type generating struct {
	*generateCommand
	cmd    *cobra.Command
	model  *language.Model
	how    decoding
	first  *language.Prompt // what all texts go on from
	stream bool             // the only text is printed as it comes

	out, notes          io.Writer          // of this process or, while several share the work, of a group
	texts               []*language.Prompt // of the last group
	prompts             int                // of the groups before
	read, made          int                // tokens
	reading, continuing float64            // seconds
}

// all continues all prompts, in groups that are side by side. The groups are those of
// one process, since the last bits of a log-probability depend on how many texts are.
func (g *generating) all(prompts []prompt) error {
	comm, n := processes(g.cmd.Context()), max(1, mostTexts/g.how.search.NBest)
	if g.how.beam {
		n = 1 // each is searched for by itself
	}
	groups := slices.Collect(slices.Chunk(prompts, n))
	if comm.Size() > 1 && len(groups) > 1 {
		return g.share(comm, groups, n)
	}
	if comm.Rank() > 0 {
		return nil // there is work for the first process alone
	}
	for _, group := range groups {
		if err := g.group(group); err != nil {
			return err
		}
	}
	return nil
}

// share lets the groups, of n prompts each, go round the processes. The first one prints
// what all have made.
func (g *generating) share(comm train.Communicator, groups [][]prompt, n int) error {
	type printed struct {
		Text, Notes []byte
		Read, Made  int
	}
	var mine []printed
	stdout, stderr := g.out, g.notes
	for i := comm.Rank(); i < len(groups); i += comm.Size() {
		var text, notes bytes.Buffer
		g.prompts, g.read, g.made, g.out, g.notes = i*n, 0, 0, &text, &notes
		if err := g.group(groups[i]); err != nil {
			return err
		}
		mine = append(mine, printed{text.Bytes(), notes.Bytes(), g.read, g.made})
	}
	all, err := train.Collect(comm, "continuations", mine, len(groups))
	g.read, g.made = 0, 0
	for _, p := range all {
		g.read, g.made = g.read+p.Read, g.made+p.Made
		_, toNotes := stderr.Write(p.Notes)
		_, toText := stdout.Write(p.Text)
		err = cmp.Or(err, toNotes, toText)
	}
	return err
}

// group reads some prompts, continues them and prints the results.
func (g *generating) group(prompts []prompt) error {
	g.texts = nil
	for _, p := range prompts {
		if err := g.readPrompt(g.first.Clone(), p); err != nil {
			return err
		}
	}
	if g.stream && !g.noEcho {
		fmt.Fprint(g.out, prompts[0].Text)
	}
	err := g.goOn(prompts)
	if g.stream {
		fmt.Fprintln(g.out)
	}
	g.prompts += len(prompts)
	return err
}

// readPrompt reads a prompt on from what r has read.
func (g *generating) readPrompt(r *language.Prompt, p prompt) error {
	meter := progress.New(g.cmd.ErrOrStderr(), "reading", "tokens")
	err := g.model.Read(g.cmd.Context(), r, p.Text, func(done, total int) { meter.Show(int64(done), int64(total)) })
	meter.Close()
	if err != nil {
		return fmt.Errorf("%s: %w", p.From, err)
	}
	if n := len(r.Unknown); n > 0 {
		fmt.Fprintf(g.notes, "mega: %d words of the prompt are not in the dictionary and are read as <unk>, such as %q\n", n, r.Unknown[0])
	}
	g.read, g.reading = g.read+r.Read, g.reading+r.Seconds
	g.texts = append(g.texts, r)
	return nil
}

// begin returns a new prompt, or the saved one.
func (c *generateCommand) begin(m *language.Model) (*language.Prompt, error) {
	if c.loadState == "" {
		return m.Begin()
	}
	if err := textfile.Regular(c.loadState); err != nil {
		return nil, err
	}
	f, err := os.Open(c.loadState)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := m.Resume(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.loadState, err)
	}
	return r, nil
}

// goOn continues the texts of a group. If one alone wants more continuations
// than may be side by side, some come after others.
func (g *generating) goOn(prompts []prompt) error {
	start := time.Now()
	defer func() { g.continuing += time.Since(start).Seconds() }()
	ctx, n := g.cmd.Context(), g.how.search.NBest
	if g.how.beam {
		for i, r := range g.texts {
			found, err := g.model.Search(ctx, r, g.how.search, g.how.draw.Stop)
			if err == nil {
				err = g.print(i, 0, prompts[i].Text, found)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	var emit func(int, []byte)
	if g.stream {
		emit = func(_ int, text []byte) { g.out.Write(text) }
	}
	for from := 0; from < n; from += mostTexts {
		o, texts, most := g.how.draw, g.texts, min(n-from, mostTexts)
		o.First = g.prompts*n + from
		if from+most < n {
			texts = []*language.Prompt{g.texts[0].Clone()}
		}
		made, err := g.model.Continue(ctx, texts, most, o, emit)
		if err != nil {
			return err
		}
		for i := range texts {
			if err := g.print(i, from, prompts[i].Text, made[i*most:][:most]); err != nil {
				return err
			}
		}
	}
	return nil
}

// print prints continuations of a prompt of the group, of which from were printed
// before.
func (g *generating) print(prompt, from int, text string, made []generate.Continuation) error {
	for i, t := range made {
		g.made += len(t.Tokens)
		if g.stream {
			continue
		}
		if err := g.generateCommand.print(g.out, g.prompts+prompt, from+i, text, t); err != nil {
			return err
		}
	}
	return nil
}

// tell says how fast it went.
func (g *generating) tell() {
	stderr := g.cmd.ErrOrStderr()
	fmt.Fprintf(stderr, "read %d tokens in %.2f s (%.0f tokens/s)\n", g.read, g.reading, float64(g.read)/g.reading)
	fmt.Fprintf(stderr, "made %d tokens in %.2f s (%.0f tokens/s)\n", g.made, g.continuing, float64(g.made)/g.continuing)
}

// print prints a continuation of a prompt.
func (c *generateCommand) print(w io.Writer, prompt, number int, text string, t generate.Continuation) error {
	if c.json {
		return printJSONLine(w, struct {
			Prompt string `json:"prompt"`
			generate.Continuation
			Tokens int `json:"tokens"`
		}{text, t, len(t.Tokens)})
	}
	if c.noEcho {
		text = ""
	}
	_, err := fmt.Fprintf(w, "--- %d.%d (log-probability %.3f)\n%s%s\n", prompt+1, number+1, t.LogProb, text, t.Text)
	return err
}

// saveState keeps what was read of a text, whole or not at all.
func saveState(path string, r *language.Prompt) error {
	return atomicfile.Write(path, r.Session.Save)
}
