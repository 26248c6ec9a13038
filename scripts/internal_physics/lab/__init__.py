"""The lab: models of our own, trained on data whose every bit is known."""
