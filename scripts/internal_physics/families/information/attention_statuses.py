"""Why a block has no attention entropy, in a module of its own: figures import no code that reads records."""

NO_ATTENTION = "the block gives no attention rows"
NO_DISTRIBUTION = "attention rows are no distributions"
WITHOUT_SINK = "attention rows come without their sink"
