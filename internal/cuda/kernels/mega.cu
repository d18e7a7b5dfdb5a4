// All kernels, as one module.
#include "common.h"
#include "functions.h"
#include "elementwise.cu"
#include "norms.cu"
#include "product.cu"
#include "attention.cu"
#include "ema.cu"
#include "embed.cu"
