"""routing: which experts of a mixture the tokens of a prompt are sent to."""
