"""The figure of the lab's kernels."""
