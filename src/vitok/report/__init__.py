"""Texts for readers; pure functions that return them."""
