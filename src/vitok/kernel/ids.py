"""Ids: sortable by time of making, unguessable enough not to collide."""

from datetime import datetime
from os import urandom

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


_BYTES = 7  # of randomness for an id; 50 bits of them are used


def new_id(now: datetime) -> str:
    """A 20-character id: ten characters of milliseconds, ten of randomness; ids sort by time.

    >>> from datetime import UTC
    >>> new_id(datetime(2026, 1, 1, tzinfo=UTC))[:10]
    '01kdvdna00'
    """
    return new_ids(now, 1)[0]


def new_ids(now: datetime, count: int) -> list[str]:
    """Several ids of one moment, in no order among each other."""
    milliseconds = int(now.timestamp() * 1000)
    start = "".join([_PAIRS[milliseconds >> shift & 1023] for shift in (40, 30, 20, 10, 0)])
    pairs, random, found = _PAIRS, urandom(_BYTES * count), []
    for place in range(0, len(random), _BYTES):
        number = int.from_bytes(random[place : place + _BYTES]) >> 6
        found.append(
            f"{start}{pairs[number >> 40]}{pairs[number >> 30 & 1023]}{pairs[number >> 20 & 1023]}"
            f"{pairs[number >> 10 & 1023]}{pairs[number & 1023]}"
        )
    return found
