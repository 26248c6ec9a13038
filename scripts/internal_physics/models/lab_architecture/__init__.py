"""The architecture of lab models: a transformer whose attention, norms and convolutions are options."""
