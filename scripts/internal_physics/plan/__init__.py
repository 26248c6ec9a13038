"""The plan of a run: which jobs, tables and figures a config asks for, and where their files lie. No heavy imports."""
