"""The config: options, prompts, conditions and the work plan, checked before any work. No heavy imports."""
