"""One look into one window of production: its drift when it is over, its quality when its labels have come."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl

from vitok.charter.expressions import Comparison
from vitok.journal.profiles import Group, ProfileStore
from vitok.journal.records import FAILED
from vitok.loop.assemble import cost_tuple
from vitok.loop.foretold import MOST_ROWS, Foreteller, load_foreteller
from vitok.loop.journals import JournalReader, answered_by, scored_rows, usable_labels
from vitok.loop.profiling import counted_by, reference_of_bundle
from vitok.loop.project import Project
from vitok.loop.reweighing import Reweigher, Told
from vitok.loop.rules import groups_of, judge_rules
from vitok.loop.watched_metrics import alerting_metrics, charter_metrics, slice_metrics
from vitok.model.bundle import USUAL, Manifest, load_manifest
from vitok.monitor.drift import DriftFinding, drift_findings
from vitok.monitor.quality import (
    PAST_WINDOWS,
    Accepted,
    QualityFinding,
    corrected,
    quality_findings,
    quality_window,
)
from vitok.monitor.windows import State, Window
from vitok.registry import versions
from vitok.registry import windows as remembered
from vitok.stats.bins import Bins
from vitok.stats.catalogue import METRICS, metrics_for
from vitok.stats.edetectors import EValues
from vitok.stats.estimates import Estimate
from vitok.stats.packed import unpack
from vitok.stats.profiles import Reference
from vitok.stats.variation import Variation

# Roles whose rows are no answers that anybody got.
NOT_WATCHED = frozenset({"shadow", FAILED})


@dataclass(frozen=True)
class Version:
    """What a window of a version is compared with.

    Args:
        number, digest: Of the version.
        manifest: What its bundle says.
        reference: Profiles of its rows.
        bins: What rows that it answers are counted by.
        usual: How much their windows differ; None if windows had another length then, or were too few.
        accepted: Its metrics when it was accepted.
        foreteller: What estimates its quality before labels come, if its bundle can.
        importance: What its main metric loses without each input, as far as that is known.
    """

    number: int
    digest: str
    manifest: Manifest
    reference: Reference
    bins: Bins
    usual: Variation | None
    accepted: Mapping[str, Accepted]
    foreteller: Foreteller | None
    importance: Mapping[str, float]


@dataclass(frozen=True)
class Look:
    """What a look into a window found.

    Args:
        window: The window as it is judged now.
        version: The version that it is judged for.
        rules: E-values of the charter's rules that could be decided.
    """

    window: Window
    version: Version
    rules: Mapping[str, EValues]


def watched_groups(profiles: ProfileStore, start: datetime, end: datetime) -> list[Group]:
    """Who answered the rows of a span that somebody got an answer to."""
    return [group for group in profiles.groups(start, end) if group.role not in NOT_WATCHED]


def leading(groups: Sequence[Group]) -> tuple[int, str]:
    """Number and digest of the version that a span is judged for: the champion, else who answered most rows.

    While two versions share the traffic, the larger one may be another every day, and no evidence would gather.
    """
    counts: dict[tuple[int, str], int] = {}
    for group in [each for each in groups if each.role == "champion"] or groups:
        key = (group.version, group.digest)
        counts[key] = counts.get(key, 0) + group.rows
    return max(counts, key=lambda key: (counts[key], key))


class Looks:
    """Looks into windows; keeps what belongs to the versions that it has met.

    Args:
        reweigher: Makes a second estimate of each window without labels; None leaves it out.
    """

    def __init__(
        self,
        project: Project,
        journal: JournalReader,
        profiles: ProfileStore,
        reweigher: Reweigher | None = None,
    ) -> None:
        self._project, self._journal, self._profiles = project, journal, profiles
        self._versions: dict[str, Version] = {}
        self._reweigher = reweigher

    def drift(self, start: datetime, end: datetime, state: State) -> Look | None:
        """A window that is over; None if it has no rows."""
        groups = watched_groups(self._profiles, start, end)
        if not groups:
            return None
        version = self.version(*leading(groups))
        past = self._past(version, start)
        estimated = corrected(self._foretold(start, end, version), past)
        reweighted = self._reweighted(start, end, version, estimated)
        window = Window(
            start,
            end,
            sum(group.rows for group in groups),
            0,
            state,
            tuple(self._findings(start, end, version)),
            estimated=estimated,
            foretold=tuple(self._fallen(version, estimated, [told for told, _ in past])),
            reweighted=reweighted,
        )
        return Look(window, version, {})

    def again(self, known: Mapping[str, Any]) -> Look:
        """A window that was judged before, as the registry remembers it."""
        version = self.version(known["version"], known["digest"])
        estimated = known["details"].get("estimated", {})
        window = Window(
            known["start"],
            known["end"],
            known["rows"],
            known["labelled"],
            known["state"],
            tuple(map(DriftFinding.from_json, known["drift"])),
            estimated=_estimates(estimated),
        )
        return Look(window, version, {})

    def quality(self, look: Look, state: State) -> Look:
        """The same window when its labels have come."""
        window, version = look.window, look.version
        rules, span = self._project.document.rules.alerts, (window.start, window.end)
        sliced = self._project.charter.monitor.slices
        known = self._journal.labelled(*span, as_of=self._project.clock(), with_inputs=bool(rules or sliced))
        known = known.filter(answered_by(version.digest))
        quality, fallen, slices = {}, list[QualityFinding](), {}
        if known.height:
            scored = scored_rows(known, version.manifest, cost_tuple(self._project))
            names = [metric.name for metric in metrics_for(scored.task, with_costs=scored.costs is not None)]
            quality = quality_window(scored, names)
            slices = self._slices(known, version)
            fallen = self._fallen(version, quality, [true for _, true in self._past(version, window.start)])
        accepted = {name: found.value for name, found in version.accepted.items()}
        judged = judge_rules(
            self._project, self._journal, rules, span, version.manifest, version.digest, accepted, known
        )
        found = replace(
            window,
            labelled=known.height,
            state=state,
            quality=quality,
            fallen=(*fallen, *judged.values()),
            slices=slices,
        )
        return Look(found, version, {str(rule): self._once(rule, each) for rule, each in judged.items()})

    def version(self, number: int, digest: str) -> Version:
        """A version and what its windows are compared with."""
        if digest not in self._versions:
            manifest = load_manifest(self._project.blobs, digest)
            with self._project.engine.connect() as connection:
                known = versions.get(connection, number)
            reference = reference_of_bundle(self._project.blobs, manifest)
            self._versions[digest] = Version(
                number,
                digest,
                manifest,
                reference,
                counted_by(reference, manifest),
                self._usual(manifest),
                {name: _accepted(name, found) for name, found in known.metrics.items()},
                load_foreteller(self._project.blobs, manifest, cost_tuple(self._project)),
                {name: found["drop"] for name, found in known.summary.get("importance", {}).items()},
            )
        return self._versions[digest]

    def _findings(self, start: datetime, end: datetime, version: Version) -> list[DriftFinding]:
        packed = self._profiles.read(start, end, version.digest, without=NOT_WATCHED)
        assert packed is not None  # its rows were counted
        rule = self._project.charter.monitor.drift
        return drift_findings(
            version.reference,
            unpack(packed, version.bins),
            rule,
            variation=version.usual,
            importance=version.importance,
        )

    def _foretold(self, start: datetime, end: datetime, version: Version) -> dict[str, Estimate]:
        """Metrics of a window as its scores foretell them."""
        if version.foreteller is None:
            return {}
        rows = self._journal.answers(start, end, with_inputs=version.foreteller.needs_inputs)
        rows = rows.filter(answered_by(version.digest))
        inputs = None
        if version.foreteller.needs_inputs:
            rows = rows.sample(min(rows.height, MOST_ROWS), seed=0)
            kinds = {field.name: field.kind for field in version.manifest.inputs if field.kind != "time"}
            inputs = self._journal.inputs(rows, kinds)
        return version.foreteller.metrics(rows, inputs)

    def _reweighted(
        self, start: datetime, end: datetime, version: Version, estimated: Mapping[str, Estimate]
    ) -> Told:
        """The charter's metrics by a calibration made for these rows; of a regression its model of errors is that."""
        names = [name for name in charter_metrics(self._project) if name in estimated]
        if self._reweigher is None or version.manifest.task == "regression" or not names:
            return {}
        rows = self._journal.answers(start, end, with_inputs=True).filter(answered_by(version.digest))
        return self._reweigher.metrics(version.number, rows, self._journal, names)

    def _past(
        self, version: Version, before: datetime
    ) -> list[tuple[dict[str, Estimate], dict[str, Estimate]]]:
        """Metrics of a version in the windows before, oldest first: as estimated, and as labels said."""
        with self._project.engine.connect() as connection:
            found = remembered.recent_metrics(connection, version.number, before, PAST_WINDOWS)
        return [(_estimates(told), _estimates(true)) for told, true in found]

    def _slices(self, known: pl.DataFrame, version: Version) -> dict[str, dict[str, Estimate]]:
        """The charter's metrics of each group of the columns that are watched apart."""
        rows = usable_labels(known, version.manifest)
        columns = self._project.charter.monitor.slices
        if not columns or rows.height == 0:
            return {}
        scored = scored_rows(rows, version.manifest, cost_tuple(self._project))
        groups = groups_of(self._journal, rows, version.manifest, columns)
        return slice_metrics(scored, groups, charter_metrics(self._project))

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

    def _once(self, rule: Comparison, found: QualityFinding) -> EValues:
        """Evidence of a rule, so that rows which several windows look at count once.

        The windows of a period overlap; the k-th root of their e-values multiplies to an e-value again.
        """
        width = self._project.charter.monitor.window
        overlap = 1.0 if rule.period is None else max(1.0, rule.period / width)
        return tuple(each ** (1 / overlap) for each in found.evidence)

    def _usual(self, manifest: Manifest) -> Variation | None:
        if USUAL not in manifest.files:
            return None
        found = Variation.from_json(self._file(manifest, USUAL))
        return found if found.seconds == self._project.charter.monitor.window.total_seconds() else None

    def _file(self, manifest: Manifest, name: str) -> Any:
        return json.loads(self._project.blobs.get(manifest.files[name]))


def _estimates(found: Mapping[str, Any]) -> dict[str, Estimate]:
    return {name: Estimate(**each) for name, each in found.items()}


def _accepted(name: str, found: Mapping[str, Any]) -> Accepted:
    better = name not in METRICS or METRICS[name].higher_is_better
    return Accepted(found["value"], found["low" if better else "high"])
