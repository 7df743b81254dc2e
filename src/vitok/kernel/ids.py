"""Ids: sortable by time of making, unguessable enough not to collide."""

from datetime import datetime
from os import urandom

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def new_id(now: datetime) -> str:
    """A 20-character id: ten characters of milliseconds, ten of randomness; ids sort by time.

    >>> from datetime import UTC
    >>> new_id(datetime(2026, 1, 1, tzinfo=UTC))[:10]
    '01kdvnwg00'
    """
    milliseconds = int(now.timestamp() * 1000)
    number = milliseconds << 50 | int.from_bytes(urandom(7)) >> 6
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(90, -1, -10)])
