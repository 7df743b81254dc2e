"""The evidence of windows gathered through time, so that false alarms stay within the charter's budget.

Findings come in families: the scores, broken inputs, moved features, measured quality, estimated quality, the charter's
own rules, how much comes in. The budget is divided among the families; each has an e-detector that cries, while nothing
is wrong, no more often than its part allows. Each member of a family has a detector of its own for each size of effect,
and the family's level is their mean, which keeps the promise however they depend on each other; who moved is told by
e-BH.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from vitok.monitor.drift import SCORE, DriftFinding
from vitok.monitor.quality import QualityFinding
from vitok.stats.edetectors import Detector, EValues, e_benjamini_hochberg, threshold

Family = Literal["score", "inputs", "features", "estimate", "quality", "rules", "volume"]

# Parts of the budget. What is worth most to know gets most: the quality itself, then what comes before it.
PARTS: Mapping[Family, float] = {
    "quality": 0.3,
    "score": 0.2,
    "inputs": 0.2,
    "rules": 0.1,
    "volume": 0.1,
    "estimate": 0.05,
    "features": 0.05,
}
# Of the members that are named with an alarm at most this share is named wrongly, on average.
_WRONGLY_NAMED = 0.1


@dataclass(frozen=True, slots=True)
class Watch:
    """What a family has seen so far.

    Args:
        members: The detector of each member; the mean of their levels is the family's.
        held: Empty while nothing is wrong. An alarm holds each member that it names at the family's limit; evidence of
            the effect that it was named for multiplies that, at most back to the limit; below 1 it is 0. When all are
            0 the alarm is over, and all detectors begin anew.
    """

    members: Mapping[str, Detector] = field(default_factory=dict)
    held: Mapping[str, float] = field(default_factory=dict)

    @property
    def level(self) -> float:
        """The mean of the members' levels."""
        return sum(each.level for each in self.members.values()) / max(1, len(self.members))

    def as_json(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {
            "members": {name: each.as_json() for name, each in self.members.items()},
            "held": dict(self.held),
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Watch":
        """Reads it."""
        members = {name: Detector.from_json(each) for name, each in value["members"].items()}
        return Watch(members, value["held"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a family says after a window.

    Args:
        cries: Whether the alarm begins with this window.
        holds: Whether it is on.
        level: Evidence so far; 1 says nothing.
        limit: Where it cries: how many windows lie between two false alarms, on average.
        windows: For how many windows the evidence has been growing, this one among them.
        named: Members that moved, the surest first.
    """

    cries: bool
    holds: bool
    level: float
    limit: float
    windows: int
    named: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The verdict as JSON values."""
        return {
            "cries": self.cries,
            "holds": self.holds,
            "level": self.level,
            "limit": self.limit,
            "windows": self.windows,
            "named": list(self.named),
        }


def limits(budget: tuple[int, timedelta], width: timedelta) -> dict[Family, float]:
    """Windows between two false alarms of each family, so that all together hold the budget.

    Args:
        budget: Tolerated false alarms of the whole project and the period that they are counted in.
        width: Length of a window.

    >>> {name: round(value) for name, value in limits((1, timedelta(days=90)), timedelta(days=1)).items()}["quality"]
    300
    """
    count, period = budget
    between = period / width / count
    return {family: threshold(between / part) for family, part in PARTS.items()}


def weigh(state: Watch, evidence: Mapping[str, EValues], limit: float) -> tuple[Watch, Verdict | None]:
    """A family after one more window.

    Args:
        evidence: E-values of each member; members that this window cannot judge are left out. Empty: nothing changes.
        limit: From `limits`.

    Returns:
        The new state, and what it says; None if the window judged no member.
    """
    if not evidence:
        return state, None
    fresh = {name: state.members.get(name, Detector()).after(each) for name, each in evidence.items()}
    grown = Watch({**state.members, **fresh}, state.held)
    cries = not state.held and grown.level >= limit
    if not state.held and not cries:
        return grown, Verdict(False, False, grown.level, limit, 0, ())
    held = _held(state, grown, evidence, limit, cries=cries)
    named = tuple(name for name in _ranked(grown.members) if held.get(name, 0.0) >= 1)
    if not named:
        return Watch(), Verdict(False, False, grown.level, limit, 0, ())
    run = max(grown.members[name].run for name in named)
    return Watch(grown.members, held), Verdict(cries, True, grown.level, limit, run, named)


def _held(
    state: Watch, grown: Watch, evidence: Mapping[str, EValues], limit: float, *, cries: bool
) -> dict[str, float]:
    """What holds the alarm after a window: who held it before, and who stands out now for the first time."""
    held = {}
    for name, level in state.held.items():
        detector = state.members.get(name, Detector())
        factor = evidence[name][detector.best] if name in evidence else 1.0
        level = min(limit, level * factor)
        held[name] = level if level >= 1 else 0.0  # whose evidence is gone does not come back in this alarm
    named = _standing_out(grown.members) or _ranked(grown.members)[: 1 if cries else 0]
    return held | {name: limit for name in named if name not in held}


def renewed(state: Watch) -> Watch:
    """The state for another version, with another reference: an alarm that is on ends with the first calm window."""
    return Watch(held=dict.fromkeys(state.held, 1.0))


def drift_evidence(
    findings: Sequence[DriftFinding], foretold: Sequence[QualityFinding] = ()
) -> dict[Family, dict[str, EValues]]:
    """The e-values of a window before its labels come, by family and column; undecidable findings are left out.

    Args:
        findings: Of the columns.
        foretold: Of the metrics as they are estimated.
    """
    decided = [finding for finding in findings if finding.status != "undecidable"]
    columns = [finding for finding in decided if finding.column != SCORE]
    return {
        "score": {f.column: f.shift_evidence for f in decided if f.column == SCORE},
        "inputs": {f.column: f.fault_evidence for f in columns},
        "features": {f.column: f.shift_evidence for f in columns},
        "estimate": {f.metric: f.evidence for f in foretold},
    }


def _ranked(members: Mapping[str, Detector]) -> list[str]:
    """Members, the surest first."""
    return sorted(members, key=lambda name: (-members[name].level, name))


def _standing_out(members: Mapping[str, Detector]) -> list[str]:
    """Members whose evidence stands out by e-BH, the surest first.

    The level of a Shiryaev-Roberts detector is as many times too large as it has seen windows.
    """
    ranked = _ranked(members)
    values = [members[name].level / max(1, members[name].windows) for name in ranked]
    return [ranked[place] for place in e_benjamini_hochberg(values, _WRONGLY_NAMED)]
