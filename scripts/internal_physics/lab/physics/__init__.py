"""The physics of models of the lab while they learn."""
