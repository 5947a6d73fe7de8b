"""A results folder, read: rows, comparisons and the choice, derived from its record."""
