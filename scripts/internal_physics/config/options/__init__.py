"""Options of the config, a module for what changes together. Families have theirs in their own rooms."""
