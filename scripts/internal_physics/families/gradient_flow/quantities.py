"""Quantities of the gradient-flow metrics at each layer: names, ranges, and words for axes."""

from internal_physics.tables.table import Quantity

RELATIVE_CHANGE = Quantity("relative_gradient_change", low=0, label="relative gradient change $e_l$", may_be_log=True)
GRADIENT_NORM = Quantity("gradient_norm", low=0, label="gradient norm", unit="nats / residual unit", may_be_log=True)
GRADIENT_COSINE = Quantity("gradient_cosine", low=-1, high=1, label="gradient cosine $c_l$")
