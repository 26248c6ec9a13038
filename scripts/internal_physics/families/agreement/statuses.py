"""Why two records lack a comparison by their options. A module of its own, which both metric and tables import."""

_NEEDED = "weight_gradients: factors keeps what is needed"
NOT_RECORDED = f"no weight gradients are recorded: {_NEEDED}"
NO_LOGITS = "no logits are recorded: record.logits: true keeps what is needed"
NO_DIRECTION = f"norms of weight gradients have no direction: {_NEEDED}"
ONLY_SKETCHED = f"sketches of weight gradients only estimate inner products: {_NEEDED}"
