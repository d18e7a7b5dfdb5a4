// Package collective joins the processes of a job: each calls the same operations
// in the same order, and all get the same bits.
//
// A [Group] has the operations that training needs. Sums are added in the order of
// ranks by code of ours, whatever the transport below: a library's own sums differ
// between libraries, and may differ between processes. Traffic is that of a ring:
// each process adds up one part of the numbers, and the parts are gathered.
//
// A [Transport] moves bytes: package mpi between machines, [Threads] between
// goroutines of one process, for tests. The package knows nothing of models.
package collective
