"""The evidence gathered over windows: loaded with the last window that has it, saved with each window."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from sqlalchemy import Connection

from vitok.charter.model import Charter
from vitok.loop.looks import Look
from vitok.monitor.evidence import Family, Verdict, Watch, drift_evidence, limits, renewed, weigh
from vitok.monitor.volume import VolumeFinding
from vitok.registry import windows as remembered
from vitok.stats.edetectors import EValues

_DRIFT, _QUALITY, _VOLUME = "evidence_of_drift", "evidence_of_quality", "evidence_of_volume"
_STREAMS: Mapping[str, tuple[Family, ...]] = {
    _DRIFT: ("score", "inputs", "features", "estimate"),
    _QUALITY: ("quality", "rules"),
    _VOLUME: ("volume",),
}


class Gathered:
    """What each family has seen so far.

    Drift and volume are judged when a window closes, quality when its labels have come: each in the order of time.
    """

    def __init__(self, charter: Charter, streams: Mapping[str, Mapping[str, Any] | None]) -> None:
        self._limits = limits(charter.monitor.drift.false_alarms, charter.monitor.window)
        self._digests = {name: (found or {}).get("digest") for name, found in streams.items()}
        self._states: dict[Family, Watch] = {}
        for name, families in _STREAMS.items():
            known = (streams.get(name) or {}).get("families", {})
            for family in families:
                self._states[family] = Watch.from_json(known[family]) if family in known else Watch()
        self._changed: dict[str, Any] = {}

    @classmethod
    def load(cls, connection: Connection, charter: Charter) -> Self:
        """Reads what the last windows say."""
        return cls(charter, {name: remembered.last_details(connection, name) for name in _STREAMS})

    def take(self, look: Look, *, judges_drift: bool) -> dict[Family, Verdict]:
        """Adds the evidence of a window; what the families say after it.

        Args:
            judges_drift: Whether the window closed now; else it was judged for drift before.
        """
        digest, verdicts = look.version.digest, dict[Family, Verdict]()
        self._changed = {"digest": digest}
        if judges_drift:
            verdicts.update(
                self._stream(_DRIFT, digest, drift_evidence(look.window.drift, look.window.foretold))
            )
        if look.window.state == "final":
            rules = set(look.rules)
            quality = {f.metric: f.evidence for f in look.window.fallen if f.metric not in rules}
            found: dict[Family, dict[str, EValues]] = {"quality": quality, "rules": dict(look.rules)}
            verdicts.update(self._stream(_QUALITY, digest, found))
        return verdicts

    def take_volume(self, findings: Sequence[VolumeFinding]) -> dict[Family, Verdict]:
        """Adds how much came in a window that closed now, behind what else was taken of it.

        It is the same whichever version answers.
        """
        members = {name: each for finding in findings for name, each in finding.members.items()}
        return self._stream(_VOLUME, None, {"volume": members})

    def forget_changes(self) -> None:
        """Begins with a window of which nothing else is taken."""
        self._changed = {}

    def standing(self) -> dict[Family, Verdict]:
        """What each family said last, as if nothing had come since."""
        return {
            family: Verdict(False, bool(state.held), state.level, self._limits[family], 0, ())
            for family, state in self._states.items()
        }

    def changed(self) -> dict[str, Any]:
        """What the last window changed, as its details keep it."""
        return self._changed

    def _stream(
        self, name: str, digest: str | None, evidence: Mapping[Family, Mapping[str, EValues]]
    ) -> dict[Family, Verdict]:
        if self._digests.get(name) not in (None, digest):
            for family in _STREAMS[name]:
                self._states[family] = renewed(self._states[family])
        self._digests[name] = digest
        verdicts = {}
        for family in _STREAMS[name]:
            found = evidence.get(family, {})
            self._states[family], verdict = weigh(self._states[family], found, self._limits[family])
            if verdict is not None:
                verdicts[family] = verdict
        states = {family: self._states[family].as_json() for family in _STREAMS[name]}
        told = {family: verdict.as_json() for family, verdict in verdicts.items()}
        self._changed[name] = {"digest": digest, "families": states, "verdicts": told}
        return verdicts
