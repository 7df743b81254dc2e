"""Passwords: what is kept of them, and whether one is right."""

from functools import cache
from typing import Any

from vitok.errors import UserMistake

LEAST = 10
_LONGEST = 1000


def hash_password(password: str) -> str:
    """What is kept of a password: Argon2id with a salt of its own (RFC 9106, the second recommended set).

    Raises:
        UserMistake: it is too short or too long.
    """
    if not LEAST <= len(password) <= _LONGEST:
        what = f"has {len(password)} characters"
        raise UserMistake("password", what, f"Give {LEAST} or more, such as four words.")
    return str(_hasher().hash(password))


def is_right(password: str, kept: str | None) -> bool:
    """Whether a password is the one that is kept; without one it takes as long, and is wrong."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        _hasher().verify(_of_nobody() if kept is None else kept, password[:_LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


@cache
def _hasher() -> Any:
    from argon2 import PasswordHasher
    from argon2.profiles import RFC_9106_LOW_MEMORY

    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


@cache
def _of_nobody() -> str:
    return str(_hasher().hash("nobody has this password"))
