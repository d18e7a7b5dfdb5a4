#!/usr/bin/env python3
"""A translator in plain PyTorch, the yardstick of `mega bench mt-small mt-base`.

It follows the equations of the paper (arXiv 2209.10655) and adds gated attention
to a source, in the usual PyTorch way: eager mode, float32, moving averages by FFT
in training and one step at a time in decoding. Keys and values are cached, states
are reordered with the beam by index_select, and the source's keys and values and
the averages' coefficients are computed once. It needs only Debian's python3-torch:

    /usr/bin/python3 bench/torch/translate.py mt-base --threads 2

It prints one JSON object a line with the fields of `mega bench --json`.
AS_INSTALLED=1 leaves PyTorch's environment alone.
"""
import argparse, json, math, os, sys, time

from best import restart

restart()

import torch, torch.nn as nn, torch.nn.functional as F

WORKLOADS = {
    "mt-small": dict(batch=128, length=12, vocab=64, layers=2, d=48, h=96, ffn=64, z=24, n=8),
    "mt-base": dict(batch=32, length=25, vocab=32768, layers=6, d=512, h=1024, ffn=1024, z=128, n=16),
}
REACH = 1024  # of the relative biases


class Average(nn.Module):
    def __init__(self, d, n, both):
        super().__init__()
        k = 2 * d if both else d
        self.d, self.n, self.both = d, n, both
        self.delta = nn.Parameter(torch.randn(k, n) * 0.2)
        self.alpha = nn.Parameter(torch.randn(k, n) * 0.2)
        self.beta = nn.Parameter(torch.randn(k, n) * 0.02 + torch.tensor([1.0, -1.0]).repeat(n)[:n])
        self.gamma = nn.Parameter(torch.randn(k, n))
        self.omega = nn.Parameter(torch.randn(d))
        self.kept = None  # the taps, kept outside training as in the reference

    def train(self, mode=True):
        if mode:
            self.kept = None
        return super().train(mode)

    def coefficients(self):
        p = torch.sigmoid(self.delta)
        return p * self.beta, 1 - p * torch.sigmoid(self.alpha), self.gamma / math.sqrt(self.n)

    def taps(self, length):  # [K, L]
        if self.kept is not None and self.kept.shape[1] == length:
            return self.kept
        pb, q, g = self.coefficients()
        powers = torch.exp(torch.log(q).unsqueeze(-1) * torch.arange(length))
        taps = torch.einsum("kn,knl->kl", pb * g, powers)
        if not self.training:
            self.kept = taps
        return taps

    def forward(self, x):  # [B, L, D]
        length = x.shape[1]
        taps = self.taps(length)
        y = x.transpose(1, 2)
        if self.both:
            taps = F.pad(taps[: self.d], (length - 1, 0)) + F.pad(taps[self.d :].flip(-1), (0, length - 1))
            size = 4 * length
            y = torch.fft.irfft(torch.fft.rfft(y, size) * torch.fft.rfft(taps, size), size)[..., length - 1 : 2 * length - 1]
        else:
            size = 2 * length
            y = torch.fft.irfft(torch.fft.rfft(y, size) * torch.fft.rfft(taps, size), size)[..., :length]
        return F.silu(y.transpose(1, 2) + x * self.omega)

    def step(self, x, state, coefficients):  # [R, D], [R, D, N]
        pb, q, g = coefficients
        state = pb * x.unsqueeze(-1) + (q * state if state is not None else 0)
        return F.silu((state * g).sum(-1) + x * self.omega), state


class Attention(nn.Module):
    """Gated attention after a moving average."""

    def __init__(self, w, causal, drop):
        super().__init__()
        d, h, z = w["d"], w["h"], w["z"]
        self.sizes, self.causal, self.drop = (d, z, h, d), causal, drop
        self.average = Average(d, w["n"], not causal)
        self.v, self.mx, self.hp = nn.Linear(d, h), nn.Linear(d, d + z + h + d), nn.Linear(h, d)
        self.gamma, self.beta = nn.Parameter(torch.randn(2, z) * 0.02), nn.Parameter(torch.zeros(2, z))
        self.bias = nn.Parameter(torch.randn(2 * REACH - 1) * 0.02)
        self.norm = nn.LayerNorm(d)

    def relative(self, rows, columns, first=0):
        i = torch.arange(columns).unsqueeze(0) - torch.arange(first, first + rows).unsqueeze(1)
        return self.bias[i + REACH - 1]

    def project(self, x, averaged):
        u, z, r, hx = self.mx(averaged).split(self.sizes, -1)
        z = F.silu(z).unsqueeze(-2) * self.gamma + self.beta
        return torch.sigmoid(u), z[..., 0, :], z[..., 1, :], F.silu(r), hx

    def close(self, x, u, r, hx, attended):
        h = F.dropout(F.silu(hx + self.hp(attended * r)), self.drop, self.training)
        return self.norm(x + u * (h - x))

    def forward(self, x):
        v = F.dropout(F.silu(self.v(x)), self.drop, self.training)
        u, q, k, r, hx = self.project(x, self.average(x))
        scores = q @ k.transpose(1, 2) * q.shape[-1] ** -0.5 + self.relative(x.shape[1], x.shape[1])
        if self.causal:
            scores = scores + torch.full(scores.shape[1:], -math.inf).triu(1)
        weights = F.dropout(torch.softmax(scores, -1), self.drop, self.training)
        return self.close(x, u, r, hx, weights @ v)

    def step(self, x, state, coefficients):
        average, keys, values = state if state is not None else (None, None, None)
        v = F.silu(self.v(x)).unsqueeze(1)
        averaged, average = self.average.step(x, average, coefficients)
        u, q, k, r, hx = self.project(x, averaged)
        k = k.unsqueeze(1)
        keys = k if keys is None else torch.cat([keys, k], 1)
        values = v if values is None else torch.cat([values, v], 1)
        n = keys.shape[1]
        scores = q.unsqueeze(1) @ keys.transpose(1, 2) * q.shape[-1] ** -0.5 + self.relative(1, n, n - 1)
        attended = (torch.softmax(scores, -1) @ values).squeeze(1)
        return self.close(x, u, r, hx, attended), (average, keys, values)


class Cross(nn.Module):
    def __init__(self, w, drop):
        super().__init__()
        d, z = w["d"], w["z"]
        self.sizes, self.drop = (d, d, z), drop
        self.k, self.v, self.q, self.hp = nn.Linear(d, z), nn.Linear(d, d), nn.Linear(d, 2 * d + z), nn.Linear(d, d)
        self.bias, self.norm = nn.Parameter(torch.randn(2 * REACH - 1) * 0.02), nn.LayerNorm(d)

    relative = Attention.relative

    def source(self, encoded):
        return self.k(encoded), F.dropout(F.silu(self.v(encoded)), self.drop, self.training)

    def forward(self, x, source, first=0):
        keys, values = source
        u, r, q = self.q(x).split(self.sizes, -1)
        scores = q @ keys.transpose(1, 2) * q.shape[-1] ** -0.5 + self.relative(x.shape[1], keys.shape[1], first)
        weights = F.dropout(torch.softmax(scores, -1), self.drop, self.training)
        h = F.dropout(F.silu(self.hp(weights @ values * F.silu(r))), self.drop, self.training)
        return self.norm(x + torch.sigmoid(u) * (h - x))


class Block(nn.Module):
    def __init__(self, w, decoder, drop):
        super().__init__()
        self.drop = drop
        self.attention = Attention(w, decoder, drop)
        self.cross = Cross(w, drop) if decoder else None
        self.fc1, self.fc2, self.norm = nn.Linear(w["d"], w["ffn"]), nn.Linear(w["ffn"], w["d"]), nn.LayerNorm(w["d"])

    def ffn(self, x):
        y = F.dropout(F.silu(self.fc1(x)), self.drop, self.training)
        return self.norm(x + F.dropout(self.fc2(y), self.drop, self.training))

    def forward(self, x, source=None):
        x = self.attention(x)
        if self.cross is not None:
            x = self.cross(x, self.cross.source(source))
        return self.ffn(x)


class Translator(nn.Module):
    def __init__(self, w, drop=0.1):
        super().__init__()
        self.w, self.scale = w, math.sqrt(w["d"])
        self.embed = nn.Embedding(w["vocab"], w["d"])
        nn.init.normal_(self.embed.weight, std=w["d"] ** -0.5)
        self.encoder = nn.ModuleList(Block(w, False, drop) for _ in range(w["layers"]))
        self.decoder = nn.ModuleList(Block(w, True, drop) for _ in range(w["layers"]))

    def read(self, tokens):
        return F.dropout(self.embed(tokens) * self.scale, 0.1, self.training)

    def encode(self, source):
        x = self.read(source)
        for block in self.encoder:
            x = block(x)
        return x

    def forward(self, source, target):
        encoded, x = self.encode(source), self.read(target)
        for block in self.decoder:
            x = block(x, encoded)
        return F.linear(x, self.embed.weight)

    def step(self, tokens, position, states, sources, coefficients):
        x, after = self.read(tokens), []
        for block, state, source, c in zip(self.decoder, states, sources, coefficients):
            x, state = block.attention.step(x, state, c)
            x = block.ffn(block.cross(x.unsqueeze(1), source, position).squeeze(1))
            after.append(state)
        return torch.log_softmax(F.linear(x, self.embed.weight), -1), after

    @torch.no_grad()
    def search(self, source, beam, length):
        """Beam search to texts of exactly so many tokens, </s> (2) included."""
        batch, vocab = source.shape[0], self.w["vocab"]
        encoded = self.encode(source).repeat_interleave(beam, 0)
        sources = [block.cross.source(encoded) for block in self.decoder]
        coefficients = [block.attention.average.coefficients() for block in self.decoder]
        states, tokens = [None] * len(self.decoder), torch.full((batch * beam,), 2)
        scores, base = torch.zeros(batch * beam, 1), torch.arange(batch).unsqueeze(1) * beam
        texts = tokens.unsqueeze(1)
        for position in range(length):
            x, states = self.step(tokens, position, states, sources, coefficients)
            x[:, 1] = -math.inf
            if position < length - 1:
                x[:, 2] = -math.inf
            else:
                x[:, :2], x[:, 3:] = -math.inf, -math.inf
            x = (x + scores).view(batch, beam * vocab)
            if position == 0:
                x = x[:, :vocab]
            best, index = x.topk(2 * beam, 1)
            best, index = best[:, :beam], index[:, :beam]
            rows, tokens = (base + index // vocab).view(-1), (index % vocab).view(-1)
            scores = best.reshape(-1, 1)
            states = [tuple(t.index_select(0, rows) for t in state) for state in states]
            texts = torch.cat([texts.index_select(0, rows), tokens.unsqueeze(1)], 1)
        return texts


def measure(run, reps):
    run()
    times = []
    for _ in range(reps):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def main():
    a = argparse.ArgumentParser()
    a.add_argument("workload", choices=WORKLOADS)
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--reps", type=int, default=3)
    a.add_argument("--modes", default="train,infer,search")
    a = a.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    w = WORKLOADS[a.workload]
    model = Translator(w)
    parameters = sum(p.numel() for p in model.parameters())
    source, shifted, target = (torch.randint(4, w["vocab"], (w["batch"], w["length"])) for _ in range(3))
    adam = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)

    def train():
        model.train()
        adam.zero_grad(set_to_none=True)
        logits = model(source, shifted)
        F.cross_entropy(logits.view(-1, w["vocab"]), target.view(-1), label_smoothing=0.1).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()

    @torch.no_grad()
    def infer():
        model.eval()
        model(source, shifted)

    def search():
        model.eval()
        model.search(source, 5, w["length"])

    modes = {"train": train, "infer": infer, "search": search}
    for mode in a.modes.split(","):
        seconds = measure(modes[mode], a.reps)
        print(json.dumps({"impl": "torch " + torch.__version__, "workload": a.workload, "mode": mode, "ms": round(seconds * 1e3, 1),
                          "tokens_per_s": int(w["batch"] * w["length"] / seconds), "params": parameters}), flush=True)


main()
