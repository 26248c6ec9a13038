"""Tables: columns with units, reading and writing in chunks, checks."""
