"""What was run: models, prompts and conditions."""
