"""What everything else may lean on: ids, the clock, digests, durations."""
