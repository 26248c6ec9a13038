"""The workshop of all figures: style, selection of rows, scales, saving. Families draw with it."""
