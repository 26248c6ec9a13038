"""Information per layer: the logit lens, predictions, attention entropy."""
