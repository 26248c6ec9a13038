"""Thermodynamics of the weights: spectra, temperature, entropy, energy, phases."""
