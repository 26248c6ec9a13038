"""Why numbers of a local linear map are missing. A module of its own, which both numbers and tables import."""

NO_VALUES = "no singular values and no determinant: the width is above jacobian.exact_width"
SINGULAR = "the map is singular to rounding: no log-determinant"
NOT_FINITE = "the map is not finite"
