"""The file of keys that commands write and workers read."""

from typing import Literal, get_args

import msgspec

Asking = Literal["predict", "outcomes", "read", "pages"]
Acting = Literal["label", "train", "approve", "release", "operate", "personal", "manage"]
Scope = Asking | Acting
SCOPES: tuple[Scope, ...] = (*get_args(Asking), *get_args(Acting))
ACTING: frozenset[Acting] = frozenset(get_args(Acting))  # what only a person does
KEYS_FILE = "keys.json"


class Key(msgspec.Struct, frozen=True):
    """A key as workers know it.

    Args:
        name: Whose it is.
        scopes: What it may ask.
        expires: Seconds since 1970 after which it is refused; None for never.
        rate: Requests a second that it may make of the whole server; None for no limit.
        quota: Requests that it may make in a day (of UTC) of the whole server; None for no limit.
        person: For whom it acts, within the person's roles; None for nobody.
    """

    name: str
    scopes: tuple[str, ...]
    expires: float | None = None
    rate: float | None = None
    quota: int | None = None
    person: str | None = None
