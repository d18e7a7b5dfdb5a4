package serve

import (
	"slices"

	"github.com/mega-go/mega"
)

// This file reads short prompts side by side. One by one they take nearly as long as
// all together: the products of few rows take the time of reading the weights.

// shortTokens is how long prompts are at most that are read together.
const shortTokens = tailTokens - 1

// short reports whether what is left of a prompt is read at once, short, and not kept.
func (e *textEngine) short(j *textJob) bool {
	n, block := len(j.tokens)-j.at, e.prefixes.pieces()
	end := j.session.Position(0)%block + n
	return j.ctx.Err() == nil && !j.echo && j.options.MaxLen > 0 && n > 0 && n <= shortTokens &&
		end < block && (j.node == nil || end < tailTokens)
}

// alike returns the prompts that can be read together with a first one, itself
// included: as many tokens from the same position on, so that no text is cut otherwise
// than alone, which would change the last bits of its scores.
func (e *textEngine) alike(first *textJob, budget int) []*textJob {
	if !e.short(first) {
		return nil
	}
	n, at := len(first.tokens)-first.at, first.session.Position(0)
	most := max(1, min(budget/n, mega.SideBySide(n)))
	var jobs []*textJob
	for _, j := range e.reading {
		if len(jobs) < most && e.short(j) && len(j.tokens)-j.at == n && j.session.Position(0) == at {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// readTogether reads what is left of prompts that are alike, and returns a session of
// the texts to be made of them, or nil if they end with an error: what one of them
// meets all would.
func (e *textEngine) readTogether(jobs []*textJob) *mega.Session {
	var sessions []*mega.Session
	var tokens []int32
	var rows []int
	for i, j := range jobs {
		sessions, tokens = append(sessions, j.session), append(tokens, j.tokens[j.at:]...)
		rows = append(rows, slices.Repeat([]int{i}, j.texts)...)
	}
	s, err := mega.Join(sessions...)
	if err == nil {
		err = s.Prefill(tokens)
	}
	if err == nil && len(rows) > len(jobs) {
		err = s.Reorder(rows...)
	}
	if err != nil {
		for _, j := range jobs {
			j.out.end(err)
			e.drop(j)
		}
		return nil
	}
	e.read.Add(int64(len(tokens)))
	e.reading = slices.DeleteFunc(e.reading, func(j *textJob) bool { return slices.Contains(jobs, j) })
	for _, j := range jobs {
		j.at = len(j.tokens)
		e.addRows(j)
	}
	return s
}
