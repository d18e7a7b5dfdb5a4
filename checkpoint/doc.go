// Package checkpoint opens and saves models: it maps the names and arguments in a
// file to a model's configuration and parameters.
//
// The containers (safetensors, torch files) are packages below this one that know
// nothing of Mega, so that each can be tested and fuzzed against its own
// specification. This package in turn knows nothing of bytes.
package checkpoint
