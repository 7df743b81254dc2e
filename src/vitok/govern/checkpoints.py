"""Signed checkpoints of the audit log: who cuts its tail off, or writes all of it anew, cannot make them fit.

Each says how many lines there were, and what the last one's digest was. It is signed with Ed25519 (RFC 8032) by a key
that is derived from this installation's secret, so that the public key is enough to verify it.
"""

import hashlib
import hmac
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, insert, select

from vitok.govern import audit
from vitok.kernel.clock import format_time, parse_time
from vitok.kernel.digests import canonical_json
from vitok.store.schema import checkpoints
from vitok.store.writing import begin_writing

_PURPOSE = b"vitok audit checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint.

    Args:
        sequence: Number of the last line.
        digest: Its digest.
        key: The public key, as 64 hexadecimal digits.
        signature: As 128 hexadecimal digits.
    """

    sequence: int
    time: datetime
    digest: str
    key: str
    signature: str

    def as_json(self) -> dict[str, Any]:
        """The checkpoint as JSON values, to be kept elsewhere."""
        return {
            **_content(self.sequence, self.time, self.digest),
            "key": self.key,
            "signature": self.signature,
        }

    @staticmethod
    def from_json(found: dict[str, Any]) -> "Checkpoint":
        """Reads one back.

        Raises:
            KeyError, TypeError, VitokError: it is none.
        """
        time, texts = parse_time(found["time"]), (found["digest"], found["key"], found["signature"])
        return Checkpoint(int(found["sequence"]), time, *map(str, texts))


def public_key(secret: bytes) -> str:
    """The public key that belongs to an installation's secret, as 64 hexadecimal digits."""
    return _private(secret).public_key().public_bytes_raw().hex()


def make(connection: Connection, now: datetime, secret: bytes) -> Checkpoint | None:
    """Signs how far the log has come; what has not changed since the last checkpoint is not signed again.

    Args:
        secret: Of this installation.

    Returns:
        The last checkpoint; None of an empty log.
    """
    begin_writing(connection)
    head, known = audit.head(connection), all_checkpoints(connection)
    if head is None or (known and known[-1].sequence >= head[0]):
        return known[-1] if known else None
    sequence, digest = head
    content = canonical_json(_content(sequence, now, digest))
    signature = _private(secret).sign(content).hex()
    found = Checkpoint(sequence, now, digest, public_key(secret), signature)
    values = {name: getattr(found, name) for name in Checkpoint.__slots__}
    connection.execute(insert(checkpoints).values(**values))
    return found


def all_checkpoints(connection: Connection) -> list[Checkpoint]:
    """All checkpoints, oldest first."""
    query = select(checkpoints).order_by(checkpoints.c.sequence)
    return [Checkpoint(**row._mapping) for row in connection.execute(query)]


def problems(
    connection: Connection, signed: Sequence[Checkpoint], trusted: Collection[str]
) -> Iterator[tuple[int, str]]:
    """What checkpoints say against the log: the line, and what was done.

    Args:
        signed: Of the log itself, and others that were kept elsewhere.
        trusted: The public keys that count; what others have signed says nothing.
    """
    head = audit.head(connection)
    last = 0 if head is None else head[0]
    for each in signed:
        at = f"the checkpoint of {format_time(each.time)[:19]}"
        if each.key not in trusted:
            continue
        if not _fits(each):
            yield each.sequence, f"{at} was edited: its signature does not fit"
        elif each.sequence > last:
            gone = f"line {last + 1}" if each.sequence == last + 1 else f"lines {last + 1} to {each.sequence}"
            yield last + 1, f"{gone} cut off at the end: {at} knows {each.sequence}"
        elif audit.digest_at(connection, each.sequence) != each.digest:
            yield each.sequence, f"line {each.sequence}, or one before it, was written anew after {at}"


def _fits(checkpoint: Checkpoint) -> bool:
    content = canonical_json(_content(checkpoint.sequence, checkpoint.time, checkpoint.digest))
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(checkpoint.key))
        key.verify(bytes.fromhex(checkpoint.signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(secret: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hmac.new(secret, _PURPOSE, hashlib.sha256).digest())


def _content(sequence: int, time: datetime, digest: str) -> dict[str, Any]:
    return {"sequence": sequence, "time": format_time(time), "digest": digest}
