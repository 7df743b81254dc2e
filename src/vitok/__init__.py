"""Vitok: the whole production life of a machine-learning model as one closed loop."""

__version__ = "0.1.0"
