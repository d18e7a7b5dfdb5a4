// Package language trains language models, evaluates them document by document,
// and reads, continues and scores text with them.
package language
