"""Records on disk: Trace, factored gradients, Parquet store, listings. No torch."""
