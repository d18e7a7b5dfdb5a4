//go:build !(cuda && (linux || windows) && (amd64 || arm64))

package driver

import "errors"

// Built says whether the program can use a GPU.
const Built = false

// open fails: the program was built without CUDA.
func open() (*table, string, error) {
	return nil, "", errors.New("cuda: this program was built without CUDA: build it with go build -tags cuda (on Linux or Windows, for amd64 or arm64)")
}
