"""Statistics: metrics, intervals, distances, profiles. Pure functions of arrays and a seed."""
