// Package torchfile reads and writes the files of torch.save: zip archives as
// PyTorch writes them since 1.6, and, for reading, the older format that is
// pickles followed by raw storages.
//
// Such files are Python pickles, programs for a small stack machine that can
// name any Python function and have it called. This package runs the machine
// but calls nothing. It knows a closed list of names: tensors and their storages,
// argparse.Namespace, OrderedDict, the builtin containers, NumPy scalars and
// arrays, the meters of old fairseq checkpoints, and the objects of OmegaConf with
// the types they mention. It turns each into plain data and refuses every other
// name. The size of the file bounds memory and time, whatever the file claims.
// Tensors' numbers stay in the mapped file until they are asked for.
//
// # Values
//
// A value of a file is one of
//
//	nil, bool, int64, *big.Int (beyond int64), float64, string, []byte
//	Tuple, *List, *Dict, *Set
//	*Namespace, *Object
//	*Tensor, dtype.DType, Device
//
// They form a tree of bounded depth without cycles, in which parts may be
// shared. The package knows nothing of models.
package torchfile
