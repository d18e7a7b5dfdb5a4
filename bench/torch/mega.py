#!/usr/bin/env python3
"""A plain PyTorch Mega, the yardstick of `mega bench`'s classifiers (of pictures too) and language models.

It follows the equations of arXiv 2209.10655 (moving average by FFT, chunked
single-head attention) in the usual PyTorch way: eager mode, float32, no custom
kernels. It needs Debian's python3-torch and libopenblas0-pthread (Debian's
default BLAS multiplies matrices twenty times more slowly):

    apt-get install -y python3-torch libopenblas0-pthread
    /usr/bin/python3 bench/torch/mega.py lra-text --threads 2

It prints one JSON object a line: workload, mode, the median milliseconds of a
step, tokens per second, and the peak resident memory of the process so far in
MiB, so run one workload a process. With `--device cuda` it runs on a GPU with
torch 2 and reports the GPU's peak memory.

On a CPU it starts itself again in the environment in which PyTorch is fastest:
waiting threads sleep (OMP_WAIT_POLICY=PASSIVE), because spinning ones take the
cores from OpenBLAS's, and malloc keeps the memory it has, because otherwise the
page faults of large temporaries make a step 2.5 to 5 times slower.
AS_INSTALLED=1 leaves the environment alone.

`--check DIR` runs the model of DIR instead (args.json and model.safetensors, as
in testdata/golden) and compares its logits with those in golden.safetensors.
"""
import argparse, json, math, os, resource, struct, sys, time

from best import restart

if __name__ == '__main__':
    restart()

import torch, torch.nn as nn, torch.nn.functional as F


class EMA(nn.Module):
    """Multi-dimensional damped EMA, y = silu(conv(x, k) + omega * x); x is B x L x D."""

    def __init__(s, d, n, bidirectional, truncation, image=False):
        super().__init__()
        s.d, s.n, s.bi, s.trunc, s.image = d, n, bidirectional, truncation, image
        k = 2 * d if bidirectional else d
        s.delta = nn.Parameter(torch.randn(k, n, 1) * .2)
        s.alpha = nn.Parameter(torch.randn(k, n, 1) * .2)
        sign = torch.tensor([1. if i % 2 == 0 else -1. for i in range(n)]).view(n, 1)
        s.beta = nn.Parameter(torch.randn(k, n, 1) * .02 + sign)
        s.gamma = nn.Parameter(torch.randn(k, n))
        s.omega = nn.Parameter(torch.randn(d))

    def kernel(s, L):
        L = L if not s.trunc else min(L, s.trunc)
        p, a = torch.sigmoid(s.delta), torch.sigmoid(s.alpha)
        p, q = a if s.image else p, 1 - p * a  # mega-image has alpha and delta the other way round
        powers = torch.exp(torch.arange(L).view(1, 1, L) * torch.log(q))
        return torch.einsum('dnl,dn->dl', p * s.beta * powers, s.gamma * math.sqrt(1 / s.n))

    def forward(s, x, mask):
        res = x * s.omega
        x = x.transpose(1, 2)
        if mask is not None:
            x = x * (1 - mask.unsqueeze(1).type_as(x))
        L, k = x.size(2), s.kernel(x.size(2))
        T, off, n = k.size(1), 0, L
        if s.bi:
            a, b = k.split(s.d)
            b = F.pad(b[..., :-1].flip(-1), (0, T)) if s.image else F.pad(b.flip(-1), (0, T - 1))  # and lag 0 counts once
            k = F.pad(a, (T - 1, 0)) + b
            x = F.pad(x, (T - 1, 0))
            n, off = L + T - 1, 2 * T - 2
        y = torch.fft.irfft(torch.fft.rfft(x, n=2 * n) * torch.fft.rfft(k, n=2 * n), n=2 * n)[..., off:off + L]
        return F.silu(y.transpose(1, 2) + res)


class Norm(nn.Module):
    def __init__(s, kind, d, affine=True):
        super().__init__()
        s.kind = kind
        if kind == 'layernorm':
            s.norm = nn.LayerNorm(d, eps=1e-5, elementwise_affine=affine)
        elif kind == 'batchnorm':
            s.norm = nn.BatchNorm1d(d, eps=1e-5, affine=affine)
        else:
            s.norm = nn.Module()
            if kind == 'scalenorm':
                s.norm.scalar = nn.Parameter(torch.ones(1))
            else:
                s.norm.weight = nn.Parameter(torch.ones(d))

    def forward(s, x):
        if s.kind == 'layernorm':
            return s.norm(x)
        if s.kind == 'batchnorm':
            return s.norm(x.transpose(1, 2)).transpose(1, 2)
        g = s.norm.scalar if s.kind == 'scalenorm' else s.norm.weight
        return g * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5)


class SimpleBias(nn.Module):
    def __init__(s, m):
        super().__init__()
        s.m, s.rel_pos_bias = m, nn.Parameter(torch.randn(2 * m - 1) * .02)

    def forward(s, L):
        i = torch.arange(L)
        return s.rel_pos_bias[(i.view(1, L) - i.view(L, 1)) + s.m - 1]


class RotaryBias(nn.Module):
    def __init__(s, z):
        super().__init__()
        s.z = z
        s.alpha, s.beta = nn.Parameter(torch.randn(1, z) * .02), nn.Parameter(torch.randn(1, z) * .02)
        s.register_buffer('_float_tensor', torch.zeros(1))

    def rot(s, x, L):
        h = s.z // 2
        f = torch.exp(torch.arange(h) * -(math.log(10000) / h))
        a = torch.arange(L).view(L, 1) * f
        x1, x2 = x.expand(L, s.z).chunk(2, -1)
        return torch.cat([x1 * a.cos() - x2 * a.sin(), x2 * a.cos() + x1 * a.sin()], 1)

    def forward(s, L):
        return s.rot(s.alpha, L) @ s.rot(s.beta, L).t()


class MegaLayer(nn.Module):
    def __init__(s, c, bidirectional):
        super().__init__()
        s.c, d, z, h = c, c.d, c.z, c.h
        s.causal = not bidirectional
        s.norm = Norm(c.norm, d)
        s.move = EMA(d, c.n, bidirectional, c.trunc, c.patch > 0)
        s.v_proj, s.mx_proj, s.h_proj = nn.Linear(d, h), nn.Linear(d, z + h + 2 * d), nn.Linear(h, d)
        s.gamma, s.beta = nn.Parameter(torch.randn(2, z) * .02), nn.Parameter(torch.zeros(2, z))
        s.rel_pos_bias = RotaryBias(z) if c.bias == 'rotary' else SimpleBias(c.maxpos if c.chunk < 0 else c.chunk)
        for l in (s.v_proj, s.mx_proj, s.h_proj):
            nn.init.normal_(l.weight, std=.02), nn.init.zeros_(l.bias)

    def forward(s, x, mask):
        c, (B, L, d) = s.c, x.shape
        res, x = x, s.norm(x) if c.prenorm else x
        v = F.silu(s.v_proj(x))
        mx = F.dropout(s.move(x, mask), c.dropout, s.training)
        u, zr, hx = s.mx_proj(mx).split([d, c.z + c.h, d], -1)
        u, (z, r) = u.sigmoid(), F.silu(zr).split([c.z, c.h], -1)
        q, k = (z.unsqueeze(2) * s.gamma + s.beta).unbind(2)
        C = L if c.chunk < 0 or L < c.chunk else c.chunk
        q, k, v = (t.reshape(B, L // C, C, -1) for t in (q, k, v))
        pad = None if mask is None else mask.view(B, L // C, C)
        bias = s.rel_pos_bias(C)
        if c.attn == 'softmax':
            w = (q * c.z ** -.5) @ k.transpose(2, 3) + bias
            if s.causal:
                w = w + torch.triu(torch.full((C, C), -math.inf), 1)
            if pad is not None:
                w = w.masked_fill((pad & ~pad.all(-1, keepdim=True)).unsqueeze(2), -math.inf)
            w = w.softmax(-1)
        else:
            n = C if pad is None else (1 - pad.float()).sum(-1, keepdim=True).clamp(min=1).unsqueeze(-1)
            if s.causal:
                n = torch.arange(1, C + 1).view(C, 1)
            w = q @ k.transpose(2, 3) / n + bias
            if c.attn == 'laplace':
                w = .5 * (1 + torch.erf((w - math.sqrt(.5)) / (math.sqrt(.25 / math.pi) * math.sqrt(2))))
            else:
                w = F.relu(w).square()
            if pad is not None:
                w = w * (1 - pad.float()).unsqueeze(2)
            if s.causal:
                w = torch.tril(w)
        a = (w @ v).view(B, L, c.h)
        h = F.dropout(F.silu(hx + s.h_proj(a * r)), c.dropout, s.training)
        out = res + u * (h - res)
        return out if c.prenorm else s.norm(out)


class FFN(nn.Module):
    def __init__(s, c):
        super().__init__()
        s.c, s.norm = c, Norm(c.norm, c.d)
        s.fc1, s.fc2 = nn.Linear(c.d, c.ffn), nn.Linear(c.ffn, c.d)
        for l in (s.fc1, s.fc2):
            nn.init.normal_(l.weight, std=.02), nn.init.zeros_(l.bias)

    def forward(s, x):
        y = s.fc2(F.silu(s.fc1(s.norm(x) if s.c.prenorm else x)))
        y = F.dropout(y, s.c.dropout, s.training) + x
        return y if s.c.prenorm else s.norm(y)


class Block(nn.Module):
    def __init__(s, c, bidirectional):
        super().__init__()
        s.mega_layer, s.nffn = MegaLayer(c, bidirectional), FFN(c)

    def forward(s, x, mask):
        return s.nffn(s.mega_layer(x, mask))


class Trunk(nn.Module):
    """Embedding, blocks and final norm. tokens: B x L (ids, or real numbers when vocab is 0)."""

    def __init__(s, c, bidirectional):
        super().__init__()
        s.c = c
        if c.vocab:
            s.embed = nn.Embedding(c.vocab, c.d, padding_idx=1)
        else:
            s.weight, s.bias = nn.Parameter(torch.randn(c.d)), nn.Parameter(torch.randn(c.d) * .1)
        s.layers = nn.ModuleList([Block(c, bidirectional) for _ in range(c.layers)])
        s.final_norm = Norm(c.norm, c.d, c.final_affine) if c.prenorm else None

    def forward(s, t):
        L, C, mask = t.size(1), s.c.chunk, None
        if s.c.vocab:
            if C > 0 and L > C and L % C:
                t = F.pad(t, (0, -L % C), value=1)
            mask = t.eq(1)
            mask = mask if mask.any() else None
            x = s.c.scale * s.embed(t)
        else:
            x = t.unsqueeze(-1) * s.weight + s.bias
        x = F.dropout(x, s.c.dropout, s.training)
        keep = None if mask is None else (1 - mask.float()).unsqueeze(-1)
        x = x if keep is None else x * keep
        for l in s.layers:
            x = l(x, mask)
        x = x if s.final_norm is None else s.final_norm(x)
        x = x if keep is None else x * keep
        return x


class Classifier(nn.Module):
    def __init__(s, c):
        super().__init__()
        s.trunk = Trunk(c, True)
        s.fc, s.out = nn.Linear(c.d, 2 * c.d if not c.cls else c.cls), nn.Linear(2 * c.d if not c.cls else c.cls, c.classes, bias=False)

    def forward(s, t, lengths):
        x = s.trunk(t).sum(1) / lengths.unsqueeze(1)
        return s.out(F.gelu(s.fc(x)))


class Vision(nn.Module):
    """VisionMEGA of mega-image. x: B x 3 x side x side."""

    def __init__(s, c):
        super().__init__()
        s.pos_embed = nn.Parameter(torch.randn(1, c.maxpos, c.d) * c.d ** -.5)
        s.proj = nn.Conv2d(3, c.d, c.patch, c.patch)
        s.blocks = nn.ModuleList([Block(c, True) for _ in range(c.layers)])
        s.final_norm, s.fc, s.head = Norm(c.norm, c.d), nn.Linear(c.d, c.d), nn.Linear(c.d, c.classes)

    def forward(s, x):
        x = s.proj(x).flatten(2).transpose(1, 2) + s.pos_embed
        for b in s.blocks:
            x = b(x, None)
        return s.head(F.silu(s.fc(s.final_norm(x))).mean(1))


class LM(nn.Module):
    def __init__(s, c):
        super().__init__()
        s.trunk = Trunk(c, False)

    def forward(s, t):
        return F.linear(s.trunk(t)[:, :t.size(1)], s.trunk.embed.weight)


def cfg(**k):
    base = dict(vocab=0, chunk=-1, prenorm=True, dropout=0.0, scale=1.0, final_affine=True, bias='simple', attn='softmax',
                norm='layernorm', trunc=1024, n=16, maxpos=1024, classes=10, cls=0, patch=0)
    base.update(k)
    return argparse.Namespace(**base)


# The reference's published presets: name -> (config, batch, length, kind)
WORK = {
    'lra-listops': (cfg(vocab=24, layers=6, d=80, h=160, ffn=160, z=64, chunk=-1, prenorm=False, maxpos=2002, dropout=.1), 2, 2000, 'cls'),
    'lra-text': (cfg(vocab=260, layers=4, d=128, h=256, ffn=256, z=64, chunk=128, norm='scalenorm', prenorm=False, maxpos=4002, classes=2, dropout=.1), 2, 4096, 'cls'),
    'lra-text-full': (cfg(vocab=260, layers=4, d=128, h=256, ffn=256, z=64, chunk=-1, norm='scalenorm', prenorm=False, maxpos=4096, classes=2, dropout=.1), 2, 4096, 'cls'),
    'lra-image': (cfg(layers=8, d=160, h=320, ffn=320, z=96, chunk=-1, norm='batchnorm', attn='laplace', maxpos=1024), 8, 1024, 'cls'),
    'lra-pathx': (cfg(layers=4, d=64, h=128, ffn=128, z=32, chunk=4096, norm='batchnorm', attn='laplace', trunc=4096, maxpos=16384, classes=2), 1, 16384, 'cls'),
    'sc-raw': (cfg(layers=6, d=60, h=120, ffn=120, z=30, chunk=1000, norm='batchnorm', attn='laplace', trunc=1000, maxpos=16000), 2, 16000, 'cls'),
    'vit-tiny': (cfg(layers=12, d=192, h=384, ffn=384, z=64, attn='laplace', trunc=0, maxpos=196, classes=1000, patch=16), 4, 196, 'image'),
    'vit-base': (cfg(layers=12, d=768, h=1536, ffn=1536, z=256, attn='laplace', trunc=0, maxpos=196, classes=1000, patch=16), 4, 196, 'image'),
    'lm-enwik8': (cfg(vocab=208, layers=12, d=512, h=1024, ffn=1024, z=128, chunk=2048, bias='rotary', trunc=8192, dropout=.1, scale=512 ** .5, final_affine=False), 1, 2048, 'lm'),
    'lm-small': (cfg(vocab=208, layers=6, d=256, h=512, ffn=512, z=64, chunk=512, bias='rotary', trunc=8192, dropout=.1, scale=16., final_affine=False), 2, 2048, 'lm'),
}


def bench(name, reps):
    c, B, L, kind = WORK[name]
    torch.manual_seed(0)
    m = {'lm': LM, 'image': Vision, 'cls': Classifier}[kind](c)
    x = torch.randint(4, c.vocab, (B, L)) if c.vocab else torch.randn(B, L)
    if kind == 'image':
        side = round(L ** .5) * c.patch
        x = torch.randn(B, 3, side, side)
    y = torch.randint(4, c.vocab, (B, L)) if kind == 'lm' else torch.randint(0, c.classes, (B,))
    opt = torch.optim.AdamW(m.parameters(), lr=1e-3, betas=(.9, .98), weight_decay=.01)
    lengths = torch.full((B,), float(L))

    def logits():
        if kind == 'image':
            return m(x)
        return m(x).view(-1, c.vocab) if kind == 'lm' else m(x, lengths)

    def train():
        opt.zero_grad()
        F.cross_entropy(logits(), y.view(-1)).backward()
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        opt.step()

    def infer():
        with torch.no_grad():
            logits()

    for mode, f in (('train', train), ('infer', infer)):
        m.train(mode == 'train')
        gpu = torch.cuda.is_available() and next(m.parameters()).is_cuda
        sync = torch.cuda.synchronize if gpu else lambda: None
        f(), sync()
        ts = []
        for _ in range(reps):
            t = time.perf_counter(); f(); sync(); ts.append(time.perf_counter() - t)
        ms = sorted(ts)[len(ts) // 2] * 1e3
        peak = torch.cuda.max_memory_allocated() >> 20 if gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({'impl': 'torch', 'workload': name, 'mode': mode, 'ms': round(ms, 1), 'tokens_per_s': round(B * L / ms * 1e3),
                          'peak_mib': peak, 'params': sum(p.numel() for p in m.parameters())}), flush=True)


def read_safetensors(path):
    b = open(path, 'rb').read()
    n = struct.unpack('<Q', b[:8])[0]
    T = {'F32': torch.float32, 'I64': torch.int64, 'F64': torch.float64}
    return {k: torch.frombuffer(bytearray(b[8 + n + v['data_offsets'][0]:8 + n + v['data_offsets'][1]]), dtype=T[v['dtype']]).view(v['shape'])
            for k, v in json.loads(b[8:8 + n]).items() if k != '__metadata__'}


def check_vision(d, a, g, w):
    c = cfg(layers=a['depth'], d=a['embed_dim'], h=a['hidden_dim'], ffn=a['ffn_hidden_dim'], z=a['zdim'], n=a['ndim'], attn='laplace', trunc=0,
            maxpos=(a['img_size'] // a['patch_size']) ** 2, classes=a['num_classes'], patch=a['patch_size'])
    m = Vision(c)
    names = {'proj.': 'patch_embed.pemb.proj.', 'fc.': 'out_proj.fc.'}
    m.load_state_dict({k: w[next((n + k[len(p):] for p, n in names.items() if k.startswith(p)), k)] for k in m.state_dict()})
    m.eval()
    with torch.no_grad():
        y = m(g['b0.net_input.src_tokens'])
    print(d, 'largest difference', float((y - g['b0.eval.logits']).abs().max()), 'of', float(g['b0.eval.logits'].abs().max()))


def check(d):
    a = json.load(open(d + '/args.json'))
    g, w = (read_safetensors(f'{d}/{name}.safetensors') for name in ('golden', 'model'))
    if a['task'] == 'image_classification':
        return check_vision(d, a, g, w)
    lm = a['task'] == 'language_modeling'
    p = 'decoder' if lm else 'encoder'
    c = cfg(layers=a[p + '_layers'], d=a[p + '_embed_dim'], h=a[p + '_hidden_dim'], ffn=a[p + '_ffn_embed_dim'],
            z=a['decoder_z_dim' if lm else 'z_dim'], n=a['decoder_n_dim' if lm else 'n_dim'], chunk=a['decoder_chunk_size' if lm else 'chunk_size'],
            norm=a['normalization_type' if lm else 'norm_type'], attn=a['attention_activation_fn'], bias=a['rel_pos_bias'],
            trunc=a['truncation_length'], prenorm=a['normalize_before' if lm else 'encoder_normalize_before'], maxpos=a['max_target_positions' if lm else 'max_positions'],
            final_affine=not a.get('no_affine_final_norm', False), scale=a[p + '_embed_dim'] ** .5 if lm else 1.0,
            classes=a.get('sentence_class_num', 10), cls=a.get('classifier_out_dim', 0))
    emb = next((k for k in w if k.endswith('embed_tokens.embed.weight') or k.endswith('embed_tokens.weight')), None)
    if emb and w[emb].dim() == 2:
        c.vocab = w[emb].size(0)
    m = LM(c) if lm else Classifier(c)
    names = {}
    for k in m.state_dict():
        f = k.replace('trunk.', 'decoder.' if lm else 'encoder.encoder.').replace('embed.weight', 'embed_tokens.weight' if lm else 'embed_tokens.embed.weight')
        f = {'fc.weight': 'classifier.0.0.weight', 'fc.bias': 'classifier.0.0.bias', 'out.weight': 'sentence_projection_layer.weight'}.get(k, f)
        if k in ('trunk.weight', 'trunk.bias'):
            f = 'encoder.encoder.embed_tokens.' + k[6:]
        names[k] = f
    m.load_state_dict({k: w[f] if f in w else m.state_dict()[k] for k, f in names.items()})
    m.eval()
    x = g['b0.net_input.src_tokens']
    with torch.no_grad():
        y = m(x) if lm else m(x, g['b0.net_input.src_lengths'].float())
    print(d, 'largest difference', float((y - g['b0.eval.logits']).abs().max()), 'of', float(g['b0.eval.logits'].abs().max()))


if __name__ == '__main__':
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('workloads', nargs='*', help=', '.join(WORK))
    ap.add_argument('--threads', type=int, default=2)
    ap.add_argument('--reps', type=int, default=3)
    ap.add_argument('--device', help='cuda, with torch 2 or newer')
    ap.add_argument('--check', metavar='DIR')
    o = ap.parse_args()
    if o.device:
        torch.set_default_device(o.device)
    torch.set_num_threads(o.threads)
    if o.check:
        check(o.check)
    for n in o.workloads:
        bench(n, o.reps)
