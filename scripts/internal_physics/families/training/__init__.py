"""Along training: the checkpoints of a training, each profiled as a model, drawn against their steps."""
