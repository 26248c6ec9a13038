"""English problems of reasoning at the scale of the literature."""
