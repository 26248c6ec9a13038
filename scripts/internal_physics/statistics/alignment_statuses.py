"""Why two kernels, or a kernel and a grouping, have no alignment. No numpy: descriptions of tables name these."""

TOO_FEW_ITEMS = "fewer than 4 prompts"
ONE_GROUP = "fewer than two kinds of prompts"
NO_PAIR = "no two prompts of one kind"
UNDEFINED = "a prompt has no gradient there, or all are alike"
BY_DEFINITION = (TOO_FEW_ITEMS, ONE_GROUP, NO_PAIR)
