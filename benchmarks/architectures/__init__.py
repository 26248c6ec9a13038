"""The sweep over all causal and masked classes of the installed transformers: `python -m benchmarks.architectures`."""
