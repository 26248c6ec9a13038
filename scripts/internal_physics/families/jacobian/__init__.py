"""jacobian: how each block maps a small change of the residual stream at the read position."""
