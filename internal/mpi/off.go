//go:build !(mpi && linux)

package mpi

import (
	"errors"

	"github.com/mega-go/mega/internal/collective"
)

// Built says whether the program can join a job.
const Built = false

// Open fails: the program was built without MPI. abort is not called.
func Open(func(rank int, err error) int) (collective.Transport, error) {
	return nil, errors.New("this program was built without MPI: build it with go build -tags mpi (on Linux)")
}
