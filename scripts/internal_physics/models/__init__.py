"""Models: where they come from (sources), how they are loaded, and where their parts are (anatomy)."""
