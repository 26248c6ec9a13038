"""When an axis or a color scale is logarithmic: one rule for all figures."""

import numpy as np

LINES_FROM_RATIO = 30.0
COLORS_FROM_RATIO = 10.0  # less than for a line: colors near the low end of a linear scale all look alike


def needs_log(values: np.ndarray, ratio: float = LINES_FROM_RATIO) -> bool:
    """Whether the positive values span more than this factor; False when there are none."""
    positive = values[values > 0]
    return positive.size > 0 and bool(positive.max() > ratio * positive.min())
