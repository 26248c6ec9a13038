"""The check of a GPU: its numbers against the CPU's, its speed, and a run of the workflow on it (`make gpu-check`)."""

from benchmarks import subjects as subjects  # puts the library on the path
