"""kernel: which prompts pull the weights of a model in the same direction, by inner products of their gradients."""
