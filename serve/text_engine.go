package serve

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/task/language"
)

// blockTokens is about how many tokens of a prompt are read at once: enough for
// products of matrices to be good, few enough for those who wait for a step.
const blockTokens = 512

// tailTokens is how long the rest of a prompt is after its last whole block, at
// least, to be kept: less is read again as quickly.
const tailTokens = 64

// rememberedTokens bounds the last tokens of a prompt that penalties look at, as in
// package language.
const rememberedTokens = 1 << 12

// A textEngine computes for one language model: all texts that are being made go on by
// a token in each step, and between steps pieces of prompts are read. Where a device has
// the model, a step is the engine's turn on it.
type textEngine struct {
	model    *language.Model
	device   *device.Loop // has the model and all sessions; nil for the host
	log      *slog.Logger
	rows     int // most texts side by side
	prefixes *prefixTree

	*queue[*textJob]

	reading []*textJob    // prompts
	making  []*textRow    // the rows of batch
	batch   *mega.Session // nil if making is empty
	tape    *autograd.Tape
	busy    atomic.Int64 // texts side by side

	read, found, made atomic.Int64 // tokens read of prompts, not read because a state was kept, made
}

// A textJob is a prompt and what is to be made of it.
type textJob struct {
	ctx     context.Context
	state   *mega.Session // of a text that the tokens go on from; nil for the beginning
	tokens  []int32       // the prompt; without a state </s> comes first
	options generate.ContinueOptions
	texts   int  // how many continuations
	scores  int  // alternatives to give of each token made; negative for no scores at all
	echo    bool // give scores of the prompt too
	keep    bool // give the states at the end
	out     mailbox

	// While it is read.
	session *mega.Session
	at      int         // tokens read
	node    *prefixNode // nil if nothing is kept of it
}

// A textRow is a text being made.
type textRow struct {
	job     *textJob
	number  int // among the job's
	strand  *generate.Strand
	node    *prefixNode // nil if nothing is kept of it
	since   []int32     // tokens since the node
	token   int32       // chosen last
	made    madeToken   // and what is to be told of it
	err     error
	closing bool // has ended; its last token is read for its state
	gone    bool
}

func newTextEngine(m *language.Model, o Options, log *slog.Logger) *textEngine {
	block := blockTokens
	chunk := m.Model.Config().DecoderChunkSize
	room := o.StateMemory
	if chunk > 0 {
		block = (block + chunk - 1) / chunk * chunk
	} else {
		room = 0 // there is no boundary at which states are small
	}
	e := &textEngine{
		model: m, device: o.Device, log: log, rows: o.Rows, prefixes: newPrefixTree(block, room),
		queue: newQueue(o.Queue, func(j *textJob) bool { return j.ctx.Err() != nil }),
	}
	e.tape = m.Model.Params().NewTape()
	go e.run(e.work)
	return e
}

// start lets a job wait for its turn. It is an error if too many wait already.
func (e *textEngine) start(j *textJob) error {
	j.out.ready = make(chan struct{}, 1)
	return e.submit(j)
}

// work takes up prompts, and computes while there is something to compute.
func (e *textEngine) work() {
	defer func() {
		if broken := recover(); broken != nil {
			e.log.Error("a language model panicked", "panic", broken, "stack", string(debug.Stack()))
			e.endAll(errBroken)
			if err := turn(e.device, e.renewTape); err != nil {
				e.log.Warn("the memory of scores stays taken", "error", err)
			}
		}
	}()
	if e.device.Do(e.admit); len(e.reading) == 0 {
		return
	}
	workers := e.reading[0].session.Workers()
	defer workers.Hot()()
	for len(e.reading) > 0 || len(e.making) > 0 {
		e.device.Do(func() {
			e.readPrompts()
			e.step(workers)
			e.admit()
		})
	}
}

// failAll ends everything that is being computed, in a turn on the device.
func (e *textEngine) failAll(err error) {
	e.endAll(err)
	e.renewTape()
}

// renewTape replaces the tape, in a turn on the device, which gets its memory back.
func (e *textEngine) renewTape() {
	old := e.tape
	e.tape = e.model.Model.Params().NewTape()
	old.Close()
}

// endAll ends everything that is being computed. It needs no device.
func (e *textEngine) endAll(err error) {
	for _, j := range e.reading {
		j.out.end(err)
	}
	for _, r := range e.making {
		r.job.out.end(err)
	}
	// Pins and states may be in any condition.
	e.reading, e.making, e.batch = nil, nil, nil
	e.prefixes.clear()
	e.busy.Store(0)
}

// admit begins with prompts that wait, in their order, as far as there are rows for
// their texts.
func (e *textEngine) admit() {
	used, full := len(e.making), false
	for _, j := range e.reading {
		used += j.texts
	}
	next := e.take(func(j *textJob) bool {
		if full = full || used > 0 && used+j.texts > e.rows; full {
			return false
		}
		used += j.texts
		return true
	})
	e.busy.Store(int64(used))
	e.reading = append(e.reading, next...) // before they begin, so that whatever fails ends all
	for _, j := range next {
		if err := e.begin(j); err != nil {
			e.busy.Add(-int64(j.texts))
			j.out.end(err)
			e.drop(j)
		}
	}
}

// begin goes to where a prompt has not been read before. A device may lack the memory.
func (e *textEngine) begin(j *textJob) (err error) {
	defer device.Catch(&err)
	switch {
	case j.state != nil:
		j.session = j.state
	case j.echo:
		j.session = e.model.Model.NewSession()
	default:
		j.node, j.session, j.at = e.prefixes.match(j.tokens)
		if j.session == nil {
			j.session = e.model.Model.NewSession()
		}
		e.found.Add(int64(j.at))
		j.out.cached = j.at
	}
	return nil
}

// readPrompts reads pieces of prompts, about a block in all. The texts of those that
// were read to the end go beside those that are being made, all at once: each time
// the states of all are copied.
func (e *textEngine) readPrompts() {
	var read []*mega.Session
	for budget := e.prefixes.pieces(); budget > 0 && len(e.reading) > 0; {
		j := e.reading[0]
		if j.ctx.Err() != nil {
			e.drop(j)
			continue
		}
		if jobs := e.alike(j, budget); len(jobs) > 1 {
			budget -= len(jobs) * (len(j.tokens) - j.at)
			if s := e.readTogether(jobs); s != nil {
				read = append(read, s)
			}
			continue
		}
		n, err := e.readPiece(j)
		if budget -= max(n, 1); err != nil {
			j.out.end(err)
			e.drop(j)
			continue
		}
		if j.at == len(j.tokens) {
			e.reading = e.reading[1:]
			if e.startMaking(j) {
				read = append(read, j.session)
			}
			continue
		}
		e.reading = append(e.reading[1:], j) // the others' turn
	}
	if err := e.join(read); err != nil {
		e.failAll(err)
	}
}

// drop takes a prompt away.
func (e *textEngine) drop(j *textJob) {
	e.reading = slices.DeleteFunc(e.reading, func(other *textJob) bool { return other == j })
	e.release(j.node)
}

// readPiece reads the next tokens of a prompt, up to the end of a block, and returns
// how many.
func (e *textEngine) readPiece(j *textJob) (int, error) {
	block := e.prefixes.pieces()
	position := j.session.Position(0)
	n := min(len(j.tokens)-j.at, block-position%block)
	if n == 0 {
		return 0, nil
	}
	piece := j.tokens[j.at:][:n]
	if j.echo {
		if err := e.scorePiece(j, piece); err != nil {
			return 0, err
		}
	} else if err := j.session.Prefill(piece); err != nil {
		return 0, err
	}
	j.at += n
	e.read.Add(int64(n))
	switch {
	case j.node == nil || e.prefixes.block == 0:
	case j.at%block == 0:
		j.node = e.prefixes.add(j.node, j.tokens[j.at-block:j.at], j.session.Clone())
	case j.at == len(j.tokens) && j.at%block >= tailTokens:
		e.prefixes.addTail(j.node, j.tokens[j.at-j.at%block:], j.session.Clone())
	}
	return n, nil
}

// pieces returns how many tokens are read at once at most, whether they are kept
// or not.
func (t *prefixTree) pieces() int {
	if t.block == 0 {
		return blockTokens
	}
	return t.block
}

// startMaking begins to continue a prompt that was read, and reports whether there is
// something to make. The job's session then has a row for each of its texts.
func (e *textEngine) startMaking(j *textJob) bool {
	if j.options.MaxLen == 0 {
		e.endRead(j)
		return false
	}
	if j.texts > 1 {
		if err := j.session.Reorder(make([]int, j.texts)...); err != nil {
			j.out.end(err)
			e.release(j.node)
			return false
		}
	}
	e.addRows(j)
	return true
}

// addRows puts the texts of a prompt that was read among those that are being made.
func (e *textEngine) addRows(j *textJob) {
	recent := j.tokens[max(0, len(j.tokens)-rememberedTokens):]
	for i := range j.texts {
		r := &textRow{job: j, number: i, strand: generate.NewStrand(j.options, e.model.Codec.Append, recent, j.options.First+i)}
		if j.node != nil && e.prefixes.block > 0 {
			r.node = j.node
			r.node.pins++
			r.since = slices.Clone(j.tokens[j.at-j.at%e.prefixes.block:])
		}
		e.making = append(e.making, r)
	}
	e.release(j.node)
}

// join puts the texts of prompts that were read beside those that are being made.
func (e *textEngine) join(read []*mega.Session) error {
	if len(read) == 0 {
		return nil
	}
	if e.batch != nil {
		read = slices.Insert(read, 0, e.batch)
	}
	var err error
	e.batch, err = mega.Join(read...)
	return err
}

func (e *textEngine) release(n *prefixNode) {
	if n != nil {
		e.prefixes.release(n)
	}
}

// endRead ends a job of which nothing is to be made.
func (e *textEngine) endRead(j *textJob) {
	for i := range j.texts {
		t := madeToken{text: i, token: -1, reason: generate.FullLength}
		if j.keep {
			t.state = j.session
		}
		j.out.put(t)
	}
	j.out.end(nil)
	e.release(j.node)
}

// step makes a token of each text and reads it.
func (e *textEngine) step(workers *autograd.Workers) {
	e.compact()
	if len(e.making) == 0 {
		return
	}
	scores := e.batch.LogProbs()
	vocab := len(scores) / len(e.making)
	workers.Run(len(e.making), func(_, i int) { e.making[i].choose(e.model, scores[i*vocab:][:vocab], e.batch.Position(i)) })
	awaited := false
	for _, r := range e.making {
		r.tell()
		awaited = awaited || r.gone || len(r.strand.Tokens) == 1
	}
	e.made.Add(int64(len(e.making)))
	if awaited {
		// All cores compute, and nothing else would run for milliseconds. A client
		// waits for the beginning of its text, and one that has all of it for its next.
		runtime.Gosched()
	}
	e.compact()
	if len(e.making) == 0 {
		return
	}
	tokens := make([]int32, len(e.making))
	for i, r := range e.making {
		tokens[i] = r.token
	}
	if _, err := e.batch.Step(tokens...); err != nil {
		e.failAll(err)
		return
	}
	for i, r := range e.making {
		e.keepRow(i, r)
	}
}

// choose picks the next token of a text.
func (r *textRow) choose(m *language.Model, scores []float32, position int) {
	var text []byte
	if r.token, text, r.err = r.strand.Add(scores, position); r.err != nil {
		return
	}
	r.made = madeToken{text: r.number, token: r.token, logProb: scores[r.token], piece: slices.Clone(text)}
	if r.job.scores > 0 {
		r.made.best = bestOf(scores, r.job.scores)
	}
	if !r.strand.Ended() && len(r.strand.Tokens) >= r.job.options.MaxLen {
		r.made.piece = append(r.made.piece, r.strand.Cut()...)
	}
	r.made.reason = r.strand.Reason
}

// tell hands out a token that was chosen.
func (r *textRow) tell() {
	if r.err != nil {
		r.gone = true
		r.job.out.end(r.err)
		return
	}
	if r.strand.Ended() {
		r.closing, r.gone = r.job.keep, !r.job.keep
	}
	if !r.closing {
		r.job.out.put(r.made)
	}
	if r.gone {
		r.job.ended()
	}
}

// ended notes that one of the texts is done.
func (j *textJob) ended() {
	if j.texts--; j.texts == 0 {
		j.out.end(nil)
	}
}

// keepRow looks after a text whose last token has been read: its state is wanted if
// it has ended, or kept at the end of a block.
func (e *textEngine) keepRow(i int, r *textRow) {
	if r.closing {
		r.made.state, r.gone = e.batch.CloneRow(i), true
		r.job.out.put(r.made)
		r.job.ended()
		return
	}
	if r.node == nil {
		return
	}
	if r.since = append(r.since, r.token); len(r.since) == e.prefixes.block {
		r.node = e.prefixes.add(r.node, r.since, e.batch.CloneRow(i))
		r.since = r.since[:0]
	}
}

// compact drops the texts that have ended, and those that nobody waits for.
func (e *textEngine) compact() {
	var rows []int
	var making []*textRow
	for i, r := range e.making {
		if r.gone || r.job.ctx.Err() != nil {
			e.release(r.node)
			continue
		}
		rows, making = append(rows, i), append(making, r)
	}
	switch {
	case len(making) == len(e.making):
		return
	case len(making) == 0:
		e.making, e.batch = nil, nil
		return
	}
	e.making = making
	if err := e.batch.Reorder(rows...); err != nil {
		e.failAll(err)
	}
}

// promptTokens returns the tokens of a prompt as a job has them.
func promptTokens(ids []int32, state *mega.Session) []int32 {
	if state != nil {
		return ids
	}
	return append([]int32{data.EOS}, ids...)
}

// checkIDs reports a token that the model does not have.
func checkIDs(ids []int32, m *language.Model) error {
	for i, id := range ids {
		if id < 0 || int(id) >= m.Codec.Vocabulary() || id == data.Pad {
			return fmt.Errorf("token %d is %d, want 0 to %d but not %d, which is padding", i, id, m.Codec.Vocabulary()-1, data.Pad)
		}
	}
	return nil
}

// continueAll continues texts and returns what was added to each, and why it ended.
func (e *textEngine) continueAll(ctx context.Context, texts []string, o generate.ContinueOptions) (made, reasons []string, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var jobs []*textJob
	for i, text := range texts {
		ids, _, err := e.model.Codec.Encode(text)
		if err != nil {
			return nil, nil, invalid("inputs", "text %d: %v", i, err)
		}
		j := &textJob{ctx: ctx, tokens: promptTokens(ids, nil), options: e.model.Options(o), texts: 1, scores: -1}
		j.options.First = i
		jobs = append(jobs, j)
	}
	for _, j := range jobs {
		if err := e.start(j); err != nil {
			return nil, nil, err
		}
	}
	for _, j := range jobs {
		var text []byte
		reason := ""
		for ended := false; !ended; {
			tokens, end, err := j.out.take(ctx)
			if err != nil {
				return nil, nil, err
			}
			for _, t := range tokens {
				text, reason = append(text, t.piece...), t.reason
			}
			ended = end
		}
		made, reasons = append(made, string(text)), append(reasons, finishReasons[reason])
	}
	return made, reasons, nil
}
