"""One look into one window of production: its drift when it is over, its quality when its labels have come."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from vitok.charter.expressions import Comparison
from vitok.charter.review import main_metric
from vitok.loop.assemble import cost_tuple
from vitok.loop.journals import JournalReader, scored_rows
from vitok.loop.project import Project
from vitok.loop.reference import score_frame_of
from vitok.loop.rules import judge_rules
from vitok.model.bundle import REFERENCE, USUAL, Manifest, load_manifest
from vitok.monitor.drift import SCORE, DriftFinding, drift_findings
from vitok.monitor.quality import Accepted, QualityFinding, quality_findings, quality_window
from vitok.monitor.windows import State, Window
from vitok.registry import versions
from vitok.stats.catalogue import METRICS, metrics_for
from vitok.stats.estimates import Estimate
from vitok.stats.profiles import Reference, profile
from vitok.stats.variation import Variation


@dataclass(frozen=True)
class Version:
    """What a window of a version is compared with.

    Args:
        number, digest: Of the version.
        manifest: What its bundle says.
        reference: Profiles of its rows.
        usual: How much their windows differ; None if windows had another length then, or were too few.
        accepted: Its metrics when it was accepted.
    """

    number: int
    digest: str
    manifest: Manifest
    reference: Reference
    usual: Variation | None
    accepted: Mapping[str, Accepted]


@dataclass(frozen=True)
class Look:
    """What a look into a window found.

    Args:
        window: The window as it is judged now.
        version: The version that answered most of its rows.
        rules: E-values of the charter's rules that could be decided.
    """

    window: Window
    version: Version
    rules: Mapping[str, float]


class Looks:
    """Looks into windows; keeps what belongs to the versions that it has met."""

    def __init__(self, project: Project, journal: JournalReader) -> None:
        self._project, self._journal = project, journal
        self._versions: dict[str, Version] = {}

    def drift(self, start: datetime, end: datetime, state: State) -> Look | None:
        """A window that is over; None if it has no rows."""
        rows = self._journal.predictions(start, end).filter(pl.col("role") != "shadow")
        if rows.height == 0:
            return None
        version = self._answering(rows)
        findings = self._findings(rows.filter(pl.col("digest") == version.digest), version)
        window = Window(start, end, rows.height, 0, state, tuple(findings))
        return Look(window, version, {})

    def again(self, known: Mapping[str, Any]) -> Look:
        """A window that was judged before, as the registry remembers it."""
        version = self.version(known["version"], known["digest"])
        window = Window(
            known["start"],
            known["end"],
            known["rows"],
            known["labelled"],
            known["state"],
            tuple(DriftFinding(**each) for each in known["drift"]),
        )
        return Look(window, version, {})

    def quality(self, look: Look, state: State, past: Sequence[Mapping[str, Estimate]]) -> Look:
        """The same window when its labels have come.

        Args:
            past: Metrics of the version in the windows before, oldest first.
        """
        window, version = look.window, look.version
        rules, span = self._project.document.rules.alerts, (window.start, window.end)
        known = self._journal.labelled(*span, as_of=self._project.clock(), with_inputs=bool(rules))
        known = known.filter((pl.col("digest") == version.digest) & (pl.col("role") != "shadow"))
        quality, fallen = {}, list[QualityFinding]()
        if known.height:
            scored = scored_rows(known, version.manifest, cost_tuple(self._project))
            names = [metric.name for metric in metrics_for(scored.task, with_costs=scored.costs is not None)]
            quality = quality_window(scored, names)
            fallen = self._fallen(version, quality, past)
        accepted = {name: found.value for name, found in version.accepted.items()}
        judged = judge_rules(
            self._project, self._journal, rules, span, version.manifest, version.digest, accepted, known
        )
        found = Window(
            *span,
            window.rows,
            known.height,
            state,
            window.drift,
            quality,
            (*fallen, *judged.values()),
        )
        return Look(found, version, {str(rule): self._once(rule, each) for rule, each in judged.items()})

    def version(self, number: int, digest: str) -> Version:
        """A version and what its windows are compared with."""
        if digest not in self._versions:
            manifest = load_manifest(self._project.blobs, digest)
            with self._project.engine.connect() as connection:
                metrics = versions.get(connection, number).metrics
            reference = Reference.from_json(self._file(manifest, REFERENCE))
            self._versions[digest] = Version(
                number,
                digest,
                manifest,
                reference,
                self._usual(manifest),
                {name: _accepted(name, found) for name, found in metrics.items()},
            )
        return self._versions[digest]

    def _answering(self, rows: pl.DataFrame) -> Version:
        counted = rows.group_by("version", "digest").len().sort("len", "version")
        number, digest = counted.select("version", "digest").row(-1)
        return self.version(int(number), digest)

    def _findings(self, rows: pl.DataFrame, version: Version) -> list[DriftFinding]:
        manifest = version.manifest
        kinds = {field.name: field.kind for field in manifest.inputs if field.kind != "time"}
        frame = self._journal.inputs(rows, kinds)
        many = manifest.task == "multiclass"
        scores = np.array(rows["proba"].to_list()) if many else rows["score"].to_numpy()
        frame = frame.with_columns(score_frame_of(scores)[SCORE])
        return drift_findings(
            version.reference,
            profile(frame, version.reference.bins),
            self._project.charter.monitor.drift,
            variation=version.usual,
        )

    def _fallen(
        self, version: Version, quality: Mapping[str, Estimate], past: Sequence[Mapping[str, Estimate]]
    ) -> list[QualityFinding]:
        watched = [name for name in alerting_metrics(self._project) if name in quality]
        return quality_findings(
            {name: quality[name] for name in watched},
            version.accepted,
            concession=self._project.charter.monitor.concession,
            past={name: [each[name] for each in past if name in each] for name in watched},
        )

    def _once(self, rule: Comparison, found: QualityFinding) -> float:
        """Evidence of a rule, so that rows which several windows look at count once.

        The windows of a period overlap; the k-th root of their e-values multiplies to an e-value again.
        """
        width = self._project.charter.monitor.window
        overlap = 1.0 if rule.period is None else max(1.0, rule.period / width)
        return float(found.evidence ** (1 / overlap))

    def _usual(self, manifest: Manifest) -> Variation | None:
        if USUAL not in manifest.files:
            return None
        found = Variation.from_json(self._file(manifest, USUAL))
        return found if found.seconds == self._project.charter.monitor.window.total_seconds() else None

    def _file(self, manifest: Manifest, name: str) -> Any:
        return json.loads(self._project.blobs.get(manifest.files[name]))


def alerting_metrics(project: Project) -> list[str]:
    """Metrics whose fall is an alarm: the main one, and those that the charter's triggers name.

    Others, such as precision or profit, follow the share of positive rows from day to day; they are measured in
    every window, but a fall of theirs is no evidence against the model.
    """
    triggers = project.document.rules.triggers
    named = [trigger.metric for trigger in triggers if isinstance(trigger, Comparison)]
    return list(dict.fromkeys([main_metric(project.charter), *named]))


def _accepted(name: str, found: Mapping[str, Any]) -> Accepted:
    better = name not in METRICS or METRICS[name].higher_is_better
    return Accepted(found["value"], found["low" if better else "high"])
