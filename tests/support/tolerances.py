"""How far two numbers that should be equal may be apart, and why. Every one is two-sided and relative.

The rule: a tolerance is about ten to a hundred times the largest difference seen over all tiny architectures (or over
SmolLM2), and far smaller than the mistakes it has to catch, which are off by per cents or more. What was seen stands
beside it.
"""

# --- formulas on the same pass: only the order of float additions differs --------------------------

# Gradient-flow scores against autograd with plain loops. Seen: 2e-6 and 1e-12 (tiny), 4e-6 (SmolLM2).
METRIC = {"float32": 1e-4, "float64": 1e-8}

# The exponent of the power law: the squared error is flat at its minimum, so a fit that has settled to twelve digits
# has half of them in b. Seen: 4e-7 (float32), 1e-7 (float64).
EXPONENT = {"float32": 1e-4, "float64": 1e-6}

# Weight gradients (norm, dense matrix, inner product, singular values) against loss.backward(). Seen: 3e-6, 2e-15.
GRADIENT = {"float32": 1e-5, "float64": 1e-10}

# The same for models whose attention computes in float32 even in a float64 model (gpt_neo, gptj). Seen: 1e-6.
GRADIENT_FLOAT32_INSIDE = 1e-5

# Numpy against numpy in float64, a few hundred additions. Seen: 1e-14.
EXACT = 1e-12

# A norm that is the square root of a difference of large numbers (two terms that cancel): half the digits are lost.
CANCELLED = 1e-6

# --- another pass: the matrix products are cut up in another way -----------------------------------

# A prompt in a batch against the same prompt alone, each recorded tensor. Seen: 3e-6 in float32, 2e-15 in float64:
# nine digits apart, so the float32 difference is rounding and nothing else.
BATCHED = {"float32": 1e-4, "float64": 1e-11}

# The same for thirty blocks in a row (SmolLM2, float32). Seen: 7e-5.
BATCHED_DEEP = 1e-3

# Losses and logits against transformers' own, the same pass or one of equal shape. Seen: 2e-7.
SAME_PASS = 1e-6

# bfloat16 keeps 8 bits: factors of a bfloat16 pass against bfloat16 autograd, which rounds the summed gradient again.
# Seen: 3e-3 in the loss, 1.4e-2 in the weakest weight (keys).
BFLOAT16 = 1e-1

# --- quantised models ------------------------------------------------------------------------------

# Against a float32 model that holds the de-quantised weights (4 bit) or that takes the int8 model's forward values and
# its own derivatives (8 bit): the same arithmetic in another kernel. Seen: 4-bit 1e-7, 8-bit 2e-6.
QUANTIZED = 1e-5

# Against the float model without int8's rounding of activations there is no equality to expect. Seen on the tiny model:
# smallest cosine of a weight gradient 0.9994, norms within 4 %.
INT8_COSINE_TINY = 0.99
INT8_NORM_TINY = 0.2

# The same on SmolLM2, whose 30 blocks with large activations feel the rounding. Seen on one prompt: median cosine 0.92,
# norms 0.44 to 2.05 times those of the float model. This is what int8 does to this model, not an error of the record.
INT8_COSINE_SMOLLM2 = (0.7, 0.99)
INT8_NORM_SMOLLM2 = (0.2, 5.0)

# How far a neighbor in the batch moves the residual gradients of an int8 prompt. Seen: 0.2 to 0.4 on five prompts.
INT8_INTERACTION = (0.01, 2.0)

# --- another device --------------------------------------------------------------------------------

# float32 and float64 records of a GPU against the CPU's: BATCHED. bfloat16 rounds every product to 8 bits, and a
# different order of additions rounds differently. Seen on one H100: 0.13 (gemma2), 0.013 (4-bit maps in bfloat16).
GPU_BFLOAT16 = 0.5

# Singular values in float64 from Gram matrices on the GPU, from LAPACK on the CPU; relative to the largest.
# Seen on one H100: below this.
GPU_SPECTRA = 1e-6

# 4 bit: the same weights in another kernel. 8 bit: residuals and losses, whose activations are rounded.
GPU_QUANTIZED = {"4 bit": 1e-4, "8 bit": 0.1}
