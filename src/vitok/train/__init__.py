"""Baselines, candidates, and the search for their parameters."""
