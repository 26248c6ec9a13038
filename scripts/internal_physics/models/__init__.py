"""Models: where they come from, how they are loaded, and where their parts are (anatomy)."""
