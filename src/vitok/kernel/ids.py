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
    """Several ids of one moment: each follows the one before, from a random first one on.

    Runs collide no more often than as many ids that are random each, and take a tenth of the time.
    """
    milliseconds, pairs = int(now.timestamp() * 1000), _PAIRS
    start = "".join([pairs[milliseconds >> shift & 1023] for shift in (40, 30, 20, 10, 0)])
    number, found = int.from_bytes(urandom(_BYTES)) >> 6, list[str]()
    while len(found) < count:
        high, low = number >> 10, number & 1023
        head = start + "".join([pairs[high >> shift & 1023] for shift in (30, 20, 10, 0)])
        found += [head + pair for pair in pairs[low : low + count - len(found)]]
        number += 1024 - low
    return found
