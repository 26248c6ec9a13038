"""Knowledge: when a model can answer questions about what it has memorised."""
