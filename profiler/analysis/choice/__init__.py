"""Limits, the frontier, and the choice."""
