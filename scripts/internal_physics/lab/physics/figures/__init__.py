"""Figures of the physics along the lab's trainings."""
