"""Conversations with devices: sessions, what is asked and what may be answered."""
