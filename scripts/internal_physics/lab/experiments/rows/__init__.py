"""Rows of a file: the plainest experiment, to train on data of one's own and to see how an experiment is made."""
