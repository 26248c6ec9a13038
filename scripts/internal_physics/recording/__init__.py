"""Recording: one forward and backward pass per batch of prompts -> Trace -> Parquet. Needs torch."""
