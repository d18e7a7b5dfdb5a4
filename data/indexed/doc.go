// Package indexed reads and writes fairseq's memory-mapped token files, a pair
// PREFIX.bin and PREFIX.idx (fairseq data/indexed_dataset.py, MMapIndexedDataset).
//
// The .bin holds the tokens of all sequences, little-endian, in one of ten
// number types. The .idx holds
//
//	9 bytes   "MMIDIDX\0\0"
//	uint64    version, 1
//	uint8     number type
//	uint64    n, the number of sequences
//	int32[n]  their lengths in tokens
//	int64[n]  where each begins in the .bin, in bytes
//
// The package knows numbers, not words.
package indexed
