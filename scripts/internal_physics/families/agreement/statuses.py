"""Why weight gradients of two records cannot be compared. A module of its own, which both metric and tables import."""

_NEEDED = "weight_gradients: factors keeps what is needed"
NOT_RECORDED = f"no weight gradients are recorded: {_NEEDED}"
NO_DIRECTION = f"norms of weight gradients have no direction: {_NEEDED}"
