"""Loads two files with torch.load and exits with an error unless they hold alike
values. What package torchfile changes is allowed for: NumPy arrays become
tensors, NumPy scalars Python numbers, bytearrays bytes."""
import sys

import numpy as np
import torch


def compare(a, b, path, storages):
    if isinstance(a, np.ndarray):
        a = torch.from_numpy(a)
    elif isinstance(a, np.generic):
        a = a.item()
    elif isinstance(a, bytearray):
        a = bytes(a)
    elif isinstance(a, torch.Size):
        a = tuple(a)
    assert type(a) is type(b), (path, type(a), type(b))
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.stride() == b.stride() and a.shape == b.shape, path
        assert a.requires_grad == b.requires_grad and torch.equal(a, b), path
        shared = storages.setdefault(a.storage().data_ptr(), b.storage().data_ptr())
        assert shared == b.storage().data_ptr(), (path, "storages are shared otherwise")
    elif isinstance(a, dict):
        assert list(a) == list(b), path
        for key in a:
            compare(a[key], b[key], path + [key], storages)
        if hasattr(a, "__dict__"):
            compare(vars(a), vars(b), path, storages)
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), path
        for i, (x, y) in enumerate(zip(a, b)):
            compare(x, y, path + [i], storages)
    elif hasattr(a, "__dict__"):
        compare(vars(a), vars(b), path, storages)
    else:
        assert a == b and repr(a) == repr(b), (path, a, b)


class AverageMeter:
    """Stands for fairseq's."""


AverageMeter.__module__ = "fairseq.meters"
sys.modules["fairseq"] = sys.modules["fairseq.meters"] = sys.modules[__name__]
compare(torch.load(sys.argv[1]), torch.load(sys.argv[2]), [], {})
