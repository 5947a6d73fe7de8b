"""What a variant must show before it counts as made."""
