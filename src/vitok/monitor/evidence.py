"""The evidence of windows gathered through time, so that false alarms stay within the charter's budget.

Findings come in families: the scores, broken inputs, moved features, measured quality, estimated quality, the charter's
own rules. The budget is divided among the families; each has an e-detector that cries, while nothing is wrong, no more
often than its part allows. Within a family the e-values of all members are averaged, which keeps the promise however
they depend on each other; which members moved is told by e-BH.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

from vitok.monitor.drift import SCORE, DriftFinding
from vitok.monitor.quality import QualityFinding
from vitok.stats.edetectors import Detector, e_benjamini_hochberg, threshold

Family = Literal["score", "inputs", "features", "estimate", "quality", "rules"]

# Parts of the budget. What is worth most to know gets most: the quality itself, then what comes before it.
PARTS: Mapping[Family, float] = {
    "quality": 0.3,
    "score": 0.2,
    "inputs": 0.2,
    "rules": 0.1,
    "estimate": 0.1,
    "features": 0.1,
}
# Of the members that are named with an alarm at most this share is named wrongly, on average.
_WRONGLY_NAMED = 0.1


@dataclass(frozen=True, slots=True)
class Watch:
    """What a family has seen so far.

    Args:
        detector: Over the mean evidence of its members.
        members: A detector for each member, which tells whom an alarm names.
        held: 0 while nothing is wrong. An alarm sets it to the family's limit, evidence multiplies it, at most back
            to the limit; below 1 the alarm is over, and all detectors begin anew.
    """

    detector: Detector = field(default_factory=Detector)
    members: Mapping[str, Detector] = field(default_factory=dict)
    held: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The state as JSON values."""
        members = {name: each.as_json() for name, each in self.members.items()}
        return {"detector": self.detector.as_json(), "members": members, "held": self.held}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Watch":
        """Reads it."""
        members = {name: Detector(**each) for name, each in value["members"].items()}
        return Watch(Detector(**value["detector"]), members, float(value["held"]))


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


def weigh(state: Watch, evidence: Mapping[str, float], limit: float) -> tuple[Watch, Verdict | None]:
    """A family after one more window.

    Args:
        evidence: E-value of each member; members that this window cannot judge are left out. Empty: nothing changes.
        limit: From `limits`.

    Returns:
        The new state, and what it says; None if the window judged no member.
    """
    if not evidence:
        return state, None
    mean = sum(evidence.values()) / len(evidence)
    members = {name: state.members.get(name, Detector()).after(each) for name, each in evidence.items()}
    members = {**state.members, **members}
    detector = state.detector.after(mean)
    named = _named(members)
    if state.held > 0:
        held = min(limit, state.held * mean)
        if held < 1:
            return Watch(), Verdict(False, False, detector.level, limit, 0, ())
        return replace(state, detector=detector, members=members, held=held), Verdict(
            False, True, detector.level, limit, detector.run, named
        )
    cries = detector.level >= limit
    found = Verdict(cries, cries, detector.level, limit, detector.run, named if cries else ())
    return Watch(detector, members, limit if cries else 0.0), found


def renewed(state: Watch) -> Watch:
    """The state for another version, with another reference: an alarm that is on ends with the first calm window."""
    return Watch(held=min(state.held, 1.0))


def drift_evidence(
    findings: Sequence[DriftFinding], foretold: Sequence[QualityFinding] = ()
) -> dict[Family, dict[str, float]]:
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


def _named(members: Mapping[str, Detector]) -> tuple[str, ...]:
    """Members whose evidence stands out, the surest first; at least the surest.

    The level of a Shiryaev-Roberts detector is as many times too large as it has seen windows.
    """
    ranked = sorted(members.items(), key=lambda pair: (-pair[1].level, pair[0]))
    values = [each.level / max(1, each.windows) for _, each in ranked]
    count = max(1, len(e_benjamini_hochberg(values, _WRONGLY_NAMED)))
    return tuple(name for name, _ in ranked[:count])
