// Package safetensors reads and writes the safetensors format
// (https://github.com/huggingface/safetensors): eight bytes with the length of
// a header, the header, then the tensors' bytes.
//
// The header is a JSON object that gives each tensor's name its dtype, shape
// and byte range in the rest of the file, and may hold a map of strings called
// __metadata__. Numbers are little-endian, tensors row-major.
//
// Files are mapped into memory and checked whole when they are opened. The reader
// refuses what the format forbids: duplicate names, and ranges that overlap, leave
// holes, end beyond the file or differ from the shape. It allocates for the header
// only, in proportion to its length in the file. The package knows nothing of
// models.
package safetensors
