"""From sources to a validated, versioned snapshot, split for training and verdict."""
