"""The experiments: what is trained for each, what is measured, and which claims are tested."""
