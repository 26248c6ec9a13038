"""Problems of several steps: what a model solves, what it knows before it writes, what it learns from mistakes."""
