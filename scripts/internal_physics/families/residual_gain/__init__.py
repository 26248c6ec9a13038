"""Residual gain against output entropy: gains, hypotheses and verdicts."""
