"""The Python API: the same library as the workflow's, for a notebook. `exports` says which name is where."""
