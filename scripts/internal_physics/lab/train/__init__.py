"""Training of lab models: optimisers, schedule, loop, resuming."""
