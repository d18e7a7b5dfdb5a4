package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// columnsOf returns how wide the terminal is that w leads to, 0 if it leads to none.
func columnsOf(w io.Writer) int {
	f := terminal(w)
	if f == nil {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// toFit lets print write to w, broken between words if w leads to a terminal that is
// narrower than the lines.
func toFit(w io.Writer, print func(io.Writer) error) error {
	width := columnsOf(w)
	if width == 0 {
		return print(w)
	}
	var b strings.Builder
	err := print(&b)
	_, failed := io.WriteString(w, fit(b.String(), width))
	return errors.Join(err, failed)
}

// sayHelp is toFit of help, whose paragraphs are filled anew in a narrow terminal.
func sayHelp(w io.Writer, print func(io.Writer)) {
	width := columnsOf(w)
	if width == 0 || width >= helpWidth {
		print(w)
		return
	}
	var b strings.Builder
	print(&b)
	io.WriteString(w, fit(joinParagraphs(b.String()), width)) // standard output keeps its error
}

// helpWidth is what the lines of help are written for.
const helpWidth = 80

// say prints a sentence on lines that fit the terminal if w leads to one.
func say(w io.Writer, format string, args ...any) {
	toFit(w, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		return err
	})
}

// fit breaks lines that are longer than width between words. A row of a table goes on
// below its last column. Other lines that are indented stay as they are: examples, which
// are for pasting into a shell.
func fit(text string, width int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		switch row := lastColumn.FindString(line); {
		case utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) <= width:
			out.WriteString(line)
		case utf8.RuneCountInString(row) > width-shortestColumn, row == "" && line[0] == ' ':
			out.WriteString(line)
		default:
			fill(&out, row, line[len(row):], width)
		}
	}
	return out.String()
}

// lastColumn finds what is before the last column of a row.
var lastColumn = regexp.MustCompile(`^.*\S {2,}`)

// shortestColumn is how wide a column must be to be filled with words.
const shortestColumn = 12

// joinParagraphs puts the lines of each paragraph, which begin at the margin, into one.
func joinParagraphs(text string) string {
	var out strings.Builder
	joined := false // the line before is of a paragraph
	for line := range strings.Lines(text) {
		prose := line[0] != ' ' && line[0] != '\n' && !lastColumn.MatchString(line)
		if joined && prose {
			out.WriteByte(' ')
		} else if joined {
			out.WriteByte('\n')
		}
		if joined = prose; prose {
			line = strings.TrimSuffix(line, "\n")
		}
		out.WriteString(line)
	}
	if joined && strings.HasSuffix(text, "\n") {
		out.WriteByte('\n')
	}
	return out.String()
}

// fill writes words behind a head, on lines of which all but the first are indented as
// far as the head goes.
func fill(out *strings.Builder, head, words string, width int) {
	indent := utf8.RuneCountInString(head)
	out.WriteString(head)
	at := indent
	for i, word := range strings.Fields(words) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > width:
			out.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			out.WriteByte(' ')
			at++
		}
		out.WriteString(word)
		at += n
	}
	out.WriteByte('\n')
}
