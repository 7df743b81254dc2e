"""The keys that a project signs with: one for each purpose, and no other project's, though a user has one secret."""

from sqlalchemy import Connection

from vitok.govern import audit
from vitok.govern.secrets import derived_key

LINKS, SESSIONS, BEGUN = "links", "sessions", "begun log-ins"


def project_key(connection: Connection, purpose: str, secret: bytes) -> bytes:
    """The key of a purpose; what was signed for another one, or by another project, does not fit it.

    Args:
        connection: To the project's database.
        secret: Of this installation.
    """
    origin = audit.digest_at(connection, 1)  # of the first act, which no other project has
    return derived_key(f"{purpose} of {origin}", secret)
