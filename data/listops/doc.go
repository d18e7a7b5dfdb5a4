// Package listops generates and reads the ListOps task: nested expressions over
// the digits, such as [MAX 4 3 [MIN 2 3 ] 1 ], whose class is their value.
//
// The grammar is that of the Long Range Arena (arXiv 2011.04006, section 2.2.1
// and its data/listops.py): an expression is a digit with probability 3/4 and
// an operation of 2 to 10 arguments otherwise; below the tenth level all are
// digits. The operations are the least, the greatest, the median (rounded
// down) and the sum modulo ten.
//
// The package knows expressions and their ids, not models.
package listops
