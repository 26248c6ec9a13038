"""Context-free grammars of levels: strings, their trees, and exact probabilities."""
