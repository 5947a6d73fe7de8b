"""From a baseline to its variants: what is kept, what is left aside, what is answered."""
