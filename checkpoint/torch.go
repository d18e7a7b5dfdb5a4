package checkpoint

import "fmt"

func openTorch(path string) (*Checkpoint, error) {
	return nil, fmt.Errorf("%s is no directory of a checkpoint", path)
}
