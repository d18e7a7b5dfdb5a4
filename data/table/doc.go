// Package table reads tables as they lie: CSV, TSV and JSON lines, each compressed or
// not, and Parquet, row by row in memory that does not grow with the file, and writes
// them back with columns added. Errors name file, line and what would be right.
//
// The package knows rows and cells; it never says what a cell means.
package table
