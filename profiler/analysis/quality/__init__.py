"""Accuracy, by task, and what quantizing costs."""
