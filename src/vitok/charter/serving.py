"""The charter's keys for workers under load and in trouble, and for telling others what happens."""

from typing import Annotated, Literal

from pydantic import Field

from vitok.charter.section import Section
from vitok.charter.values import Duration


class Cache(Section):
    """Scores that are remembered, so that the same inputs need not be scored again by the same version."""

    rows: int = Field(
        description="How many are kept; the ones that were not asked for longest go.", gt=0, examples=[10000]
    )
    age: Duration = Field(
        "5m", validate_default=True, description="How long one is kept, at most.", examples=["5m"]
    )


class Serve(Section):
    """How workers behave under load and in trouble; it comes into force with the next release."""

    timeout: Duration = Field(
        "10s", validate_default=True, description="Longest time that a request may take.", examples=["500ms"]
    )
    queue: int = Field(
        512,
        gt=0,
        description="Requests in progress from which on a worker turns others away (429).",
        examples=[512],
    )
    fallback: list[str] = Field(
        ["previous"],
        description="Who answers if a version fails, in turn: `previous` version, `default(VALUE)`, `hand_over`. "
        "Without an entry left the answer is an error.",
        examples=[["previous", "default(false)"]],
    )
    unrecorded: Literal["refuse", "answer"] = Field(
        "refuse",
        description="When the journal cannot be written: refuse to answer, or answer and mark the answer.",
        examples=["refuse"],
    )
    decimals: int | None = Field(
        None,
        ge=0,
        le=15,
        description="Decimals of the scores that callers see; fewer tell less of the model. The journal keeps all.",
        examples=[3],
    )
    cache: Cache | None = Field(
        None, description="Remembered scores; worth it for feature functions that take their time."
    )
    memory: int | None = Field(
        None, gt=0, description="Megabytes of a worker from which on it is replaced.", examples=[2000]
    )


EventKind = Literal["alert", "verdict", "question", "release", "rollback", "hand_over"]


class Notify(Section):
    """An address that is told what happens, as CloudEvents; delivered at least once, tried again when it fails."""

    url: Annotated[str, Field(pattern=r"^https?://\S+$")] = Field(
        description="Where events are posted.", examples=["https://chat.example.org/hooks/vitok"]
    )
    on: list[EventKind] = Field(
        description="What it is told.", examples=[["alert", "question", "hand_over"]], min_length=1
    )
    secret: Annotated[str | None, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] = Field(
        None,
        description="Environment variable with the secret that signs each event (HMAC-SHA256).",
        examples=["HOOK_SECRET"],
    )
