"""Tables for terminals, papers and programs."""
