"""compare.py WRITTEN.pt MODEL.safetensors ARGS.json: loads a checkpoint with
torch.load and exits with an error unless its weights are those of the other file,
tensor by tensor, and its args those of the JSON.

compare.py WRITTEN.pt REFERENCE.pt: unless weights, arguments, optimiser state and
position are those of a checkpoint that the reference saved."""
import json
import struct
import sys

import torch

TYPES = {"F32": torch.float32, "F16": torch.float16, "I64": torch.int64}


def load_safetensors(path):
    with open(path, "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(length)), f.read()
    header.pop("__metadata__", None)
    out = {}
    for name, info in header.items():
        begin, end = info["data_offsets"]
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=TYPES[info["dtype"]])
        out[name] = flat.reshape(info["shape"])
    return out


def equal(a, b, path):
    assert a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b), path


def meaningless(name):
    """Version marks, and placeholders that the reference leaves uninitialised."""
    return name.endswith("version") or name.endswith("_float_tensor")


def compare_models(got, want):
    assert set(got) == set(want), set(got) ^ set(want)
    for name in want:
        if not meaningless(name):
            equal(got[name], want[name], name)


def compare_optimizers(got, want):
    assert got.keys() == want.keys()
    assert got["param_groups"] == want["param_groups"], (got["param_groups"], want["param_groups"])
    assert got["state"].keys() == want["state"].keys()
    for i, state in want["state"].items():
        assert got["state"][i].keys() == state.keys() and got["state"][i]["step"] == state["step"]
        for moment in ("exp_avg", "exp_avg_sq"):
            equal(got["state"][i][moment], state[moment], (i, moment))


got = torch.load(sys.argv[1])
if sys.argv[2].endswith(".safetensors"):
    compare_models(got["model"], load_safetensors(sys.argv[2]))
    with open(sys.argv[3]) as f:
        want_args = json.load(f)
    assert json.loads(json.dumps(vars(got["args"]))) == want_args
else:
    want = torch.load(sys.argv[2])
    compare_models(got["model"], want["model"])
    assert vars(got["args"]) == vars(want["args"])
    compare_optimizers(got["last_optimizer_state"], want["last_optimizer_state"])
    assert got["optimizer_history"] == want["optimizer_history"], (got["optimizer_history"], want["optimizer_history"])
    for key in ("train_iterator", "best", "previous_training_time"):
        assert got["extra_state"].get(key) == want["extra_state"].get(key), key
