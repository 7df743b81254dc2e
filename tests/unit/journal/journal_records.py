from datetime import UTC, datetime, timedelta

from vitok.journal.records import Outcome, Prediction

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def at(minutes):
    return NOW + timedelta(minutes=minutes)


def prediction(key, minute=0, version=1, role="champion", score=0.25, **inputs):
    time = at(minute)
    digest = str(version) * 8
    return Prediction(key, f"unit-{key}", time, time, version, digest, role, 1, "w", inputs, score, False)


def outcome(key, value, minute=0, replace=False):
    return Outcome(key, value, at(minute), at(minute), replace)
