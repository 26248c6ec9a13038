"""Statuses of experts, which are no faults. No imports: the descriptions of the tables know them too."""

NOT_REACHED = "not reached: no token that the loss depends on was routed to this expert"
PARTLY_REACHED = "mean over the prompts that reached this expert: no interval"
