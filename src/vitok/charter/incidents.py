"""The charter's keys for incidents: how grave each kind is, and what may be done before a person comes."""

from typing import Literal

from pydantic import Field

from vitok.charter.section import Section

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
Cause = Literal["drift", "quality", "volume", "security", "rollback", "turn", "other"]


class Severities(Section):
    """How grave an incident is, by what opened it."""

    drift: Severity = Field("medium", description="An alarm on drift.", examples=["medium"])
    quality: Severity = Field("high", description="An alarm on quality.", examples=["high"])
    volume: Severity = Field(
        "medium", description="An alarm on how much comes: too few or too many.", examples=["medium"]
    )
    security: Severity = Field("high", description="A caller who asks as a thief would.", examples=["high"])
    rollback: Severity = Field(
        "medium", description="A roll-out that its limits took back.", examples=["medium"]
    )
    turn: Severity = Field(
        "medium", description="A turn that started by itself and failed.", examples=["low"]
    )
    other: Severity = Field("medium", description="One that a person opened.", examples=["medium"])


class Incidents(Section):
    """How trouble is kept on record, and what Vitok may do about it by itself."""

    severity: Severities = Field(Severities(), description="How grave an incident is, by what opened it.")
    first_aid: list[Literal["rollback", "fallback"]] = Field(
        [],
        description="What Vitok does by itself when an incident opens. `rollback`: if quality fell, and began to after "
        "the latest release, go back to the version before. `fallback`: if quality fell and going back is or was no "
        "help, every row gets the answer of `serve.fallback` until the incident is over or a version is released.",
        examples=[["rollback", "fallback"]],
    )
    freeze: Severity | None = Field(
        None,
        description="While an incident of this severity or a graver one goes on, no version is released; rollbacks "
        "are always possible.",
        examples=["critical"],
    )
    close: Literal["by_hand", "by_itself"] = Field(
        "by_hand",
        description="Who closes an incident whose cause is gone: a person who says what it was, or Vitok.",
        examples=["by_hand"],
    )
