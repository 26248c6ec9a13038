"""Agreement: how far models of one tokenizer and depth, and steered conditions, agree inside with a reference."""
