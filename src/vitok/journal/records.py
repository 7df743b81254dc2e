"""What the journal remembers: every prediction that was answered and every outcome that arrived."""

import json
from datetime import datetime
from typing import Any, Literal

import msgspec

Kind = Literal["prediction", "outcome"]


class Prediction(msgspec.Struct, frozen=True, omit_defaults=True):
    """One prediction, as it was answered.

    Args:
        id: Id by which the outcome will be joined.
        unit: What the routing was by: the entity, or the id.
        time: The moment of the event, as the caller gave it, else when the request arrived.
        received: When the request arrived.
        version: Version that predicted.
        digest: Digest of its bundle.
        role: Its role in the plan.
        epoch: Epoch of the plan.
        worker: Worker that answered.
        inputs: The inputs of the model, by name; or the row that was checked already.
        score: Probability of the positive class, the predicted value, or (multiclass) one probability a
            class; None if no version could tell.
        decision: The class or value that was answered; None if a person decides.
        warnings: What the caller was told about the row.
        action: Who decided: `model`, `rule`, `default`, `fallback` (another version), or `hand_over` (a person will);
            `holdout` (a unit that is held out; its score is kept, and told to nobody); `failed` where nobody could,
            and the caller got an error.
        reason: The rule, limit or failure behind an action that is not the model's.
        routed: The version that the plan chose, where another one answered; else None.
        micros: Microseconds that the version took for all rows that it scored together; None if it failed.
        together: How many those were.
    """

    id: str
    unit: str
    time: datetime
    received: datetime
    version: int
    digest: str
    role: str
    epoch: int
    worker: str
    inputs: dict[str, Any] | msgspec.Struct
    score: float | list[float] | None
    decision: str | int | float | bool | None
    warnings: list[str] = []
    action: str = "model"
    reason: str = ""
    routed: int | None = None
    micros: int | None = None
    together: int = 1


class Outcome(msgspec.Struct, frozen=True):
    """What really happened to a predicted row.

    Args:
        id: Id of the prediction.
        value: The target's true value.
        time: When it became known.
        received: When it arrived here.
        replace: Whether it overrides what was reported before.
        followed: Whether people acted as the decision advised; None if nobody says.
    """

    id: str
    value: str | int | float | bool
    time: datetime
    received: datetime
    replace: bool = False
    followed: bool | None = None


Record = Prediction | Outcome
FAILED = "failed"
decode_outcome = msgspec.json.Decoder(Outcome).decode


def as_text(value: Any) -> str:
    """A decision or class as text: strings as they are, everything else as JSON.

    >>> as_text("late"), as_text(True), as_text(3)
    ('late', 'true', '3')
    """
    return value if isinstance(value, str) else json.dumps(value)
