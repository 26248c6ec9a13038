"""Capacity: how many bits a parameter holds."""
