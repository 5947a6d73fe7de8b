"""How each kind of variant is made."""
