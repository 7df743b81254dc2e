"""Texts that only the holder of a key can have made, for links that act."""

import base64
import hashlib
import hmac
import json
from typing import Any

_BYTES = 16  # of the signature: links stay short, and 128 bits cannot be guessed


def sign(content: dict[str, Any], key: bytes) -> str:
    """Content and its signature as one text that fits into an address (HMAC-SHA256, RFC 2104).

    >>> read_signed(sign({"a": 1}, b"key"), b"key")
    {'a': 1}
    """
    body = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_signature(body, key) + body).rstrip(b"=").decode()


def read_signed(text: str, key: bytes) -> dict[str, Any] | None:
    """The content of a signed text; None if it is not whole, or was signed with another key."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        return None
    mark, body = raw[:_BYTES], raw[_BYTES:]
    if not hmac.compare_digest(mark, _signature(body, key)):
        return None
    content: dict[str, Any] = json.loads(body)
    return content


def _signature(body: bytes, key: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).digest()[:_BYTES]
