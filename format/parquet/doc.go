// Package parquet reads Parquet files row by row, as text: what a row holds of each
// column, as JSON and CSV write it. It follows the format's definition
// (github.com/apache/parquet-format: README.md, Encodings.md, LogicalTypes.md and
// parquet.thrift).
//
// Columns of structures are read leaf by leaf and called by their path, as in
// user.name; lists come as JSON. Lists in lists are not read, nor are encrypted
// files and pages packed by Brotli or LZO.
//
// Memory is that of one page and one dictionary a column. No number that a file
// claims is trusted: what it is to count must be there first.
package parquet
