"""What is recorded of rows that the version they were drawn for did not answer: who did, or that nobody did."""

from datetime import datetime
from typing import NamedTuple

from msgspec import structs

from vitok.errors import Fault
from vitok.journal.records import FAILED, Prediction
from vitok.model.schema import Rows
from vitok.release.plan import Arm
from vitok.release.policy import Answer


class Batch(NamedTuple):
    """Rows of one or several requests with what identifies them."""

    rows: Rows
    ids: list[str]
    units: list[str]
    times: list[datetime]
    received: list[datetime]

    def part(self, places: list[int]) -> "Batch":
        """Some of the rows, in the order of the places."""
        return Batch(
            self.rows.part(places),
            [self.ids[place] for place in places],
            [self.units[place] for place in places],
            [self.times[place] for place in places],
            [self.received[place] for place in places],
        )


def failed_rows(arm: Arm, batch: Batch, epoch: int, worker: str, reason: str) -> list[Prediction]:
    """Rows that nobody has answered, as failures of the version that was to."""
    head = (arm.version, arm.digest, arm.role, epoch, worker)
    columns = zip(batch.ids, batch.units, batch.times, batch.received, batch.rows.found, strict=True)
    return [
        Prediction(key, unit, time, received, *head, inputs, None, None, [], FAILED, reason)
        for key, unit, time, received, inputs in columns
    ]


def by_default(
    arm: Arm, batch: Batch, epoch: int, worker: str, default: Answer, reason: str
) -> list[Prediction]:
    """Rows that the charter's default answers, or that people are to decide."""
    action = "hand_over" if default.hand_over else "default"
    head = (arm.version, arm.digest, "fallback", epoch, worker)
    columns = zip(batch.ids, batch.units, batch.times, batch.received, batch.rows.found, strict=True)
    return [
        Prediction(key, unit, time, received, *head, inputs, None, default.value, [], action, reason)
        for key, unit, time, received, inputs in columns
    ]


def in_place_of(failed: Arm, answered: Prediction, reason: str) -> Prediction:
    """What another version has answered, told as such.

    Args:
        failed: The version that the row was drawn for.
    """
    action = "fallback" if answered.action == "model" else answered.action
    return structs.replace(answered, action=action, reason=reason, routed=failed.version)


def failure_of(record: Prediction) -> Fault:
    """What the caller of a row that failed is told: why, as it was recorded, and once."""
    place, _, what = record.reason.partition(": ")
    if not what:
        place, what = f"version {record.version}", f"{record.reason}. See the server's log"
    return Fault(place, what.removesuffix("."), "")
