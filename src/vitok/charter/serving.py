"""The charter's keys for workers under load and in trouble, and for telling others what happens."""

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from vitok.charter.section import Section
from vitok.charter.values import Duration, Period, Share
from vitok.kernel.clock import parse_duration

_LATENCY = re.compile(r"^(\d{1,2}(?:\.\d+)?)\s*%\s*<\s*(\d+(?:\.\d+)?\s*(?:ms|s))$")
_SHORTEST_LATENCY, _LONGEST_LATENCY = timedelta(milliseconds=1), timedelta(seconds=10)
_SHORTEST_BUDGET, _LONGEST_BUDGET = timedelta(days=7), timedelta(days=90)
_SHORTEST_REMINDER = timedelta(minutes=5)


class Cache(Section):
    """Scores that are remembered, so that the same inputs need not be scored again by the same version."""

    rows: int = Field(
        description="How many are kept; the ones that were not asked for longest go.", gt=0, examples=[10000]
    )
    age: Duration = Field(
        "5m", validate_default=True, description="How long one is kept, at most.", examples=["5m"]
    )


class Slo(Section):
    """What is promised about the service; what may be missed of it is the error budget."""

    availability: Share = Field(
        description="Share of the rows that must get an answer; `100%` would leave no budget.",
        examples=["99.5%"],
    )
    latency: str | None = Field(
        None,
        description="Share of the answers that must come in less than a time, which is 1 ms to 10 s.",
        examples=["95% < 50ms"],
    )
    over: Period = Field(
        "30d",
        validate_default=True,
        description="Period that the budget is for, from 7 to 90 days.",
        examples=["30d"],
    )

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        if not 0.5 <= self.availability < 1:
            raise ValueError("write an availability from 50% to less than 100%, such as 99.5%")
        if not _SHORTEST_BUDGET <= self.over <= _LONGEST_BUDGET:
            raise ValueError("write a period over 7d to 90d, such as 30d")
        if self.latency is not None:
            share, bound = self._parsed_latency(self.latency)
            if not 0.5 <= share < 1 or not _SHORTEST_LATENCY <= bound <= _LONGEST_LATENCY:
                raise ValueError("write a latency with a share from 50% and a time of 1ms to 10s")
        return self

    @staticmethod
    def _parsed_latency(text: str) -> tuple[float, timedelta]:
        match = _LATENCY.match(text.strip())
        if match is None:
            raise ValueError("write a latency as a share below a time, such as 95% < 50ms")
        return float(match[1]) / 100, parse_duration(match[2])

    @property
    def latency_goal(self) -> tuple[float, float] | None:
        """Share of the answers and the seconds within which they must come; None if nothing is promised."""
        if self.latency is None:
            return None
        share, bound = self._parsed_latency(self.latency)
        return share, bound.total_seconds()


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
    slo: Slo | None = Field(None, description="What is promised about the service, and its error budget.")


EventKind = Literal["alert", "verdict", "question", "release", "rollback", "hand_over", "incident"]


Format = Literal["cloudevents", "slack", "teams", "telegram"]
_ADDRESS = r"^(https?://\S+|mailto:[^@\s,;<>?]+@[^@\s,;<>?]+|env:[A-Z][A-Z0-9_]*)$"


def _address(text: str) -> str:
    if re.match(_ADDRESS, text) is None:
        raise ValueError(
            "write an address such as https://chat.example.org/hook, mailto:ada@example.org or env:SLACK_URL"
        )
    return text


class Notify(Section):
    """An address that is told what happens, by HTTP or by mail; at least once, tried again when it fails."""

    url: Annotated[str, AfterValidator(_address)] = Field(
        description="Where events are posted: an address of HTTP, `mailto:ADDRESS`, or `env:NAME` for an address of "
        "HTTP in an environment variable, because it holds a token.",
        examples=["https://chat.example.org/hooks/vitok"],
        json_schema_extra={"pattern": _ADDRESS},
    )
    on: list[EventKind] = Field(
        description="What it is told.", examples=[["alert", "question", "hand_over"]], min_length=1
    )
    format: Format = Field(
        "cloudevents",
        description="What is posted: a CloudEvent, or a message as the chat program wants it. Mail is text and HTML.",
        examples=["slack"],
    )
    chat: str | int | None = Field(
        None, description="Telegram's id of the chat.", examples=["-1001234567890"]
    )
    remind: Period = Field(
        "24h",
        validate_default=True,
        description="An open alarm that nobody has acknowledged is told again after this time (`on` names `alert`).",
        examples=["24h"],
    )
    secret: Annotated[str | None, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] = Field(
        None,
        description="Name of the secret that signs each CloudEvent (HMAC-SHA256): of an environment variable, or of an "
        "entry of the keyring.",
        examples=["HOOK_SECRET"],
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        is_mail = self.url.startswith("mailto:")
        if is_mail and self.format != "cloudevents":
            raise ValueError(f"mail has a form of its own: leave out format: {self.format}")
        if self.secret is not None and (is_mail or self.format != "cloudevents"):
            raise ValueError("only CloudEvents are signed: leave out the secret")
        if self.format == "telegram" and self.chat is None:
            raise ValueError("Telegram needs the id of a chat, such as chat: -1001234567890")
        if self.format != "telegram" and self.chat is not None:
            raise ValueError("only Telegram has a chat: write format: telegram, or leave out the chat")
        if self.remind < _SHORTEST_REMINDER:
            raise ValueError("write 5m or more for remind, such as 24h")
        return self
