"""Writes values.pt, values_protocol4.pt and values_legacy.pt: one of every kind
of value that package torchfile reads, as PyTorch 1.13 and NumPy 1.24 save it."""
import argparse
import collections
import sys
import types

import numpy as np
import torch


class AverageMeter:
    """Stands for fairseq 0.9's class of this name."""

    def __init__(self):
        self.val, self.avg, self.sum, self.count = 2.0, 1.5, 3.0, 2


AverageMeter.__module__ = "fairseq.meters"
sys.modules["fairseq"] = types.ModuleType("fairseq")
sys.modules["fairseq.meters"] = types.ModuleType("fairseq.meters")
sys.modules["fairseq.meters"].AverageMeter = AverageMeter

base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
ordered = collections.OrderedDict([("b", 1), ("a", 2)])
ordered._metadata = collections.OrderedDict([("", {"version": 1})])
values = {
    "none": None,
    "bools": (True, False),
    "ints": [0, 255, 256, 65535, 65536, -1, -(2**31), 2**31, 2**62, -(2**63), 2**63, -(2**70)],
    "floats": [1.5, -0.0, 1e300, float("inf")],
    "strings": ["", "text", "π ≈ 3", "text"],
    "bytes": [b"", b"ab\xff\x00", bytearray(b"cd")],
    "sets": [{7}, frozenset(["x"])],
    "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    "nested": {"list": [[1], {2: [3]}]},
    3: "int key",
    "ordered": ordered,
    "namespace": argparse.Namespace(lr=[0.1], arch="mega", none=None),
    "empty_namespace": argparse.Namespace(),
    "meter": AverageMeter(),
    "size": torch.Size([2, 3]),
    "devices": [torch.device("cpu"), torch.device("cuda", 1)],
    "dtypes": [torch.float16, torch.int64, torch.bool],
    "scalars": [np.float64(0.1), np.float32(0.5), np.float16(0.25), np.int64(-3), np.uint8(200), np.bool_(True)],
    "arrays": {
        "rows": np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32),
        "columns": np.asfortranarray(np.array([[1, 2, 3], [4, 5, 6]], dtype=np.int16)),
        "empty": np.zeros((0, 2)),
    },
    "tensors": {
        "float32": base,
        "transposed": base.t(),
        "column": base[:, 1],
        "steps": base[::2, ::3],
        "scalar": torch.tensor(4.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.tensor([1.0, 2.0])),
        "frozen": torch.nn.Parameter(torch.tensor([3.0]), requires_grad=False),
        "float64": torch.tensor([0.1], dtype=torch.float64),
        "float16": torch.tensor([0.1, 65504.0], dtype=torch.float16),
        "bfloat16": torch.tensor([0.1, 1e38], dtype=torch.bfloat16),
        "int64": torch.tensor([[-(2**63), 2**63 - 1]]),
        "int32": torch.tensor([-5], dtype=torch.int32),
        "int16": torch.tensor([-6], dtype=torch.int16),
        "int8": torch.tensor([-7], dtype=torch.int8),
        "uint8": torch.tensor([200], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
    },
}
torch.save(values, "values.pt")
torch.save(values, "values_protocol4.pt", pickle_protocol=4)
torch.save(values, "values_legacy.pt", _use_new_zipfile_serialization=False)
