// Package mpi moves bytes between the processes of an MPI job: it is the transport
// of package collective between machines. It finds the MPI library of the machine
// at run time (Open MPI, MPICH and what is compatible with it, or any with the ABI
// of MPI 5), so that one binary, built without a C compiler, runs under all.
//
// Only programs built with the tag mpi have it, since they are linked with libc
// dynamically. The package starts no processes: mpirun, mpiexec or srun do.
package mpi

import (
	"cmp"
	"os"
	"strconv"
)

// LibraryVariable is the environment variable that names the MPI library's file.
const LibraryVariable = "MEGA_MPI_LIBRARY"

// A launcher is a program that starts the processes of a job, by the variables of
// the environment that say how many there are, on all machines and on this one.
type launcher struct {
	name        string
	size, local string
	localRank   string   // of this process among those of the machine
	libraries   []string // in the order to try
}

// launchers are in order of how much their variables say: srun can start processes
// of any library.
var launchers = []launcher{
	{"mpirun of Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", []string{"libmpi.so.40", "libmpi_abi.so.0"}},
	{"mpiexec of MPICH", "PMI_SIZE", "MPI_LOCALNRANKS", "MPI_LOCALRANKID", []string{"libmpich.so.12", "libmpi.so.12", "libmpi_abi.so.0", "libmpi.so.40"}},
	{"srun", "SLURM_STEP_NUM_TASKS", "", "SLURM_LOCALID", []string{"libmpi_abi.so.0", "libmpi.so.40", "libmpich.so.12", "libmpi.so.12"}},
}

// launched returns who started this process as one of several, nil if nobody did.
func launched() *launcher {
	for i, l := range launchers {
		if number(l.size) > 1 {
			return &launchers[i]
		}
	}
	return nil
}

// Processes returns how many processes the launcher started, 1 without one.
func Processes() int {
	if l := launched(); l != nil {
		return number(l.size)
	}
	return 1
}

// Neighbours returns how many of them share this machine, as far as the launcher
// says.
func Neighbours() int {
	if l := launched(); l != nil {
		return cmp.Or(number(l.local), number("SLURM_NTASKS_PER_NODE"), 1)
	}
	return 1
}

// LocalRank returns the number of this process among those that share the machine, from
// 0 on, 0 if the launcher does not say.
func LocalRank() int {
	if l := launched(); l != nil {
		return max(0, cmp.Or(number(l.localRank), number("SLURM_LOCALID")))
	}
	return 0
}

// number returns the value of an environment variable, 0 if it is no number.
func number(name string) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		return 0
	}
	return n
}
