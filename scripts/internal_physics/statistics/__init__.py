"""Intervals and correlations: pure functions on arrays, every random draw seeded.

`bootstrap` puts a confidence interval around a mean or around a statistic of a whole set; `correlation`
measures how two quantities move together, with permutation p-values; `contrast` compares two independent
samples. All lean on scipy.stats.
"""
