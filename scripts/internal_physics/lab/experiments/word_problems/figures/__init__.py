"""Figures of the experiment `word_problems`."""
