"""Lab models: built from options, saved as snapshots with their tokenizers, and run."""
