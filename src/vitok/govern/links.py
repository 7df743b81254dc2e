"""The form of links by which one person answers one request: signed, with an end, and kept nowhere."""

from typing import Any

from vitok.kernel.signing import read_signed, sign

PATH = "/approve"


def link_path(approval: str, person: str, until: int, key: bytes) -> str:
    """The path of a link, to be put behind the address of the pages.

    Args:
        until: Seconds since 1970 at which it ends.
        key: What signs it.
    """
    return f"{PATH}/{sign({'a': approval, 'p': person, 'u': until}, key)}"


def read_link(token: str, key: bytes) -> tuple[str, str, int] | None:
    """Approval, person and end of a link's last part; None if it is not whole, or signed with another key."""
    content: dict[str, Any] | None = read_signed(token, key)
    return None if content is None else (content["a"], content["p"], content["u"])
