"""Lab uses of the tangent kernel, exploratory: what pulls a model the same way, before and after it has learned."""
