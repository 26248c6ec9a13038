"""Options of the config; those that change together share a module. Families keep theirs in their own folders."""
