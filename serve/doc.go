// Package serve puts models behind HTTP, in the protocols that clients speak already:
// OpenAI's completions for language models, Text Embeddings Inference's predict for
// classifiers, KServe's open inference protocol for both, LibreTranslate's for
// translators. [New] makes a [Server], an http.Handler that a program can mount;
// [Server.Serve] runs one by itself and drains it at the end.
//
// Each model has one goroutine that computes. That of a language model reads prompts
// in pieces and makes a token of all texts in each step, whoever asked for them; what
// it has read it keeps at the boundaries of chunks, where a state is small, so that a
// prefix is read once. A client that leaves is noticed before the next piece or step.
//
// Answers are those of package generate and the packages in task: the server decides
// when something is computed, never what.
package serve
