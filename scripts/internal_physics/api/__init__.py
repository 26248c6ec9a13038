"""The Python API: the library of the workflow, for use in a notebook. `exports` lists its names and their modules."""
