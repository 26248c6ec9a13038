"""Steering: directions and the interventions that add them to the residual stream."""
