"""What is right for a row, and how it is judged: one module a task."""
