"""The explorer: one self-contained HTML page in which a reader chooses what of a run's tables is drawn."""
