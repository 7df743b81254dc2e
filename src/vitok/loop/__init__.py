"""The coil: turns, releases, watching, triggers, replay; one use case for each verb."""
