"""The verdict: gates decided on intervals, failing closed."""
