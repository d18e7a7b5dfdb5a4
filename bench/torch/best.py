"""The environment in which PyTorch is fastest, which docs/performance.md explains."""
import os, sys

BEST = {'OMP_WAIT_POLICY': 'PASSIVE', 'MALLOC_MMAP_MAX_': '0', 'MALLOC_TRIM_THRESHOLD_': '200000000000'}


def restart():
    """Starts the script again in that environment, unless it is in it or AS_INSTALLED is set."""
    if os.environ.get('AS_INSTALLED') or os.environ.get('MALLOC_MMAP_MAX_') == '0':
        return
    env = {k: v for k, v in os.environ.items() if k not in ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE')}
    # OpenBLAS 0.3.21 takes Intel's processors from Emerald Rapids on for a Prescott, without AVX.
    cpu = open('/proc/cpuinfo').read()
    if 'GenuineIntel' in cpu and 'avx512_bf16' in cpu:
        env['OPENBLAS_CORETYPE'] = 'Cooperlake'
    os.execve(sys.executable, [sys.executable, '-W', 'ignore'] + sys.argv, {**env, **BEST})
