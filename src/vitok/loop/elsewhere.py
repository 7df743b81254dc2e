"""Watching a model that runs elsewhere, from its logged predictions and the outcomes that came: no server of Vitok's.

The first part of the log is the reference. Over the rest the clock goes from window to window, and the very functions
that watch a project judge each window as they would have then, with the labels that had come by then.
"""

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from vitok.charter.load import Document, load_charter
from vitok.errors import CharterMistake, DataMistake, UserMistake
from vitok.journal.ledger import MemoryLedger
from vitok.journal.records import as_text
from vitok.kernel.clock import VirtualClock, format_duration, format_time
from vitok.loop.feed import inputs_of
from vitok.loop.foretold import foretelling, input_matrix
from vitok.loop.logged import ID, KNOWN, LABEL, TIME, Log, fields_of, first_part, read_log, task_of
from vitok.loop.profiling import Profiler, profiles_in_memory
from vitok.loop.project import Project
from vitok.loop.reference import profile_files, score_frame_of
from vitok.loop.reweighing import JudgedRows, Reweigher
from vitok.loop.watch import watch
from vitok.loop.watched_metrics import charter_metrics, slice_metrics
from vitok.model.bundle import FORETELLING, FORMAT, Manifest, load_manifest, store_bundle
from vitok.monitor.quality import quality_window
from vitok.monitor.windows import window_start
from vitok.registry import versions
from vitok.registry import windows as remembered
from vitok.stats.catalogue import TaskKind, metrics_for
from vitok.stats.reweighting import KnownRows
from vitok.stats.scores import Scored
from vitok.store.blobs import Blobs
from vitok.store.db import open_database
from vitok.store.lake import Lake

_LEAST_REFERENCE = 100
_OPTIONS = {
    "monitor.drift.false_alarms": "--false-alarms",
    "monitor.drift.effect": "--effect",
    "monitor.window": "--window",
    "task.label_delay": "--label-delay",
}


def watch_elsewhere(predictions: pl.DataFrame, outcomes: pl.DataFrame | None, log: Log) -> dict[str, Any]:
    """Judges each window of a log of predictions, as watching a project would have.

    Args:
        predictions: One row each: time, score, and the inputs; an id if outcomes come in a table of their own.
        outcomes: Id, label, and when it was known if that is told; None if the predictions hold their labels.

    Returns:
        The object that `vitok watch --predictions --json` prints: reference, windows, findings, alerts.

    Raises:
        DataMistake: a column is missing or cannot be read, or there are too few rows.
    """
    rows = read_log(predictions, outcomes, log)
    until = log.reference or first_part(rows[TIME])
    then, now = rows.filter(pl.col(TIME) < until), rows.filter(pl.col(TIME) >= until)
    if then.height < _LEAST_REFERENCE or now.height == 0:
        what = f"{then.height} rows before {format_time(until)} and {now.height} from then on"
        raise DataMistake(
            "--reference", what, f"At least {_LEAST_REFERENCE} before and one after are needed: move it."
        )
    with tempfile.TemporaryDirectory(prefix="vitok-watch-") as folder:
        return _Elsewhere(Path(folder), log, then, now).result()


class _Elsewhere:
    """A project in a folder of its own, with one version that stands for the model."""

    def __init__(self, folder: Path, log: Log, then: pl.DataFrame, now: pl.DataFrame) -> None:
        self._log, self._then, self._now = log, then, now
        self._task, self._classes = task_of(then, now, log.label)
        self._fields = fields_of(then, log)
        self._clock = VirtualClock(now[TIME].min())  # type: ignore[arg-type]
        document = _document(log, self._task)
        self._project = Project(
            folder=folder,
            state=folder,
            document=document,
            engine=open_database(f"sqlite:///{folder / 'state.sqlite'}"),
            lake=Lake(folder / "lake"),
            blobs=Blobs(folder / "blobs"),
            clock=self._clock,
            tracker=None,
            say=lambda line: None,
        )

    def result(self) -> dict[str, Any]:
        """Goes through the windows."""
        digest = self._register()
        journal = MemoryLedger(cast(datetime, self._now[TIME].max()) + timedelta(microseconds=1))
        journal.append_predictions(self._predictions(digest))
        labels = self._now.filter(pl.col(LABEL).is_not_null())
        if labels.height:
            journal.append_outcomes(_outcome_rows(labels))
        store = profiles_in_memory(self._project.charter)
        profiler = Profiler(self._project.blobs, self._project.charter, store)
        reweigher = self._reweigher(digest)
        try:
            for moment in self._moments():
                self._clock.move_to(moment)
                watch(self._project, journal, profiler, reweigher)
            return self._report()
        finally:
            store.close()
            self._project.engine.dispose()

    def _moments(self) -> list[datetime]:
        """When to look: at the end of each window, and when its labels have had the time to come."""
        width, delay = self._log.window, self._log.label_delay
        first = window_start(cast(datetime, self._now[TIME].min()), width)
        last = cast(datetime, self._now[TIME].max())
        ends = [first + number * width for number in range(1, (last - first) // width + 2)]
        return sorted({*ends, *(end + delay for end in ends)})

    def _reweigher(self, digest: str) -> Reweigher | None:
        """Of rows of the reference that have labels; a regression needs none."""
        known = self._then.filter(pl.col(LABEL).is_not_null() & pl.col(self._log.score).is_not_null())
        if not self._log.reweighs or self._task == "regression" or not known.height:
            return None
        matrix, categorical = input_matrix(known, self._fields)
        rows = KnownRows(self._scored(known), matrix, categorical)
        return Reweigher(self._project, {1: JudgedRows(load_manifest(self._project.blobs, digest), rows)})

    def _register(self) -> str:
        """The version that stands for the model: what it did in the reference is what was accepted."""
        then, log = self._then, self._log
        times, scores = then[TIME], then[log.score].cast(pl.Float64).to_numpy()
        files = profile_files((then, times), (score_frame_of(scores), times), self._fields, log.window)
        metrics: dict[str, Any] = {}
        summary: dict[str, Any] = {}
        known = then.filter(pl.col(LABEL).is_not_null() & pl.col(log.score).is_not_null())
        if known.height:
            scored = self._scored(known)
            names = [metric.name for metric in metrics_for(scored.task, with_costs=False)]
            metrics = {name: found.as_json() for name, found in quality_window(scored, names).items()}
            groups = {
                name: known[name].cast(pl.String).fill_null("missing").to_numpy().astype(str)
                for name in log.slices
            }
            sliced = slice_metrics(scored, groups, charter_metrics(self._project))
            summary["slices"] = {
                part: {name: each.as_json() for name, each in told.items()} for part, told in sliced.items()
            }
            foretold = foretelling(self._task, scored, known, self._fields)
            files |= {} if foretold is None else {FORETELLING: foretold}
        digest = store_bundle(self._project.blobs, self._manifest(), files)
        with self._project.engine.begin() as connection:
            versions.register(
                connection,
                digest=digest,
                created=self._clock(),
                turn="elsewhere",
                verdict="accepted",
                gates=[],
                metrics=metrics,
                summary=summary,
            )
        return digest

    def _scored(self, rows: pl.DataFrame) -> Scored:
        scores = rows[self._log.score].cast(pl.Float64).to_numpy()
        if self._task == "regression":
            return Scored("regression", rows[LABEL].cast(pl.Float64).to_numpy(), scores)
        truth = (rows[LABEL] == self._classes.values[1]).to_numpy().astype(np.int64)
        return Scored("binary", truth, scores, (scores >= self._log.threshold).astype(np.int64))

    def _manifest(self) -> Manifest:
        log, binary = self._log, self._task == "binary"
        return Manifest(
            format=FORMAT,
            project="elsewhere",
            task=self._task,
            target=log.label,
            id=log.id,
            entity=None,
            time=log.time,
            algorithm="elsewhere",
            parameters={},
            inputs=self._fields,
            features=[],
            feature_function=None,
            output="",
            classes=list(self._classes.values),
            positive=1 if binary else None,
            threshold=log.threshold if binary else None,
            files={},
            metrics={},
            parity=0.0,
            seed=0,
            charter=self._project.document.digest,
            data={},
            code={},
            environment={},
            created=format_time(self._clock()),
        )

    def _predictions(self, digest: str) -> pl.DataFrame:
        """The log in the journal's columns."""
        rows, scores = self._now, self._now[self._log.score].cast(pl.Float64)
        decisions = pl.lit(None, dtype=pl.String)
        if self._task == "binary":
            no, yes = (as_text(value) for value in self._classes.values)
            decisions = pl.when(scores >= self._log.threshold).then(pl.lit(yes)).otherwise(pl.lit(no))
        inputs = pl.lit("{}")
        if self._fields:
            given = inputs_of(rows, self._manifest())
            inputs = pl.lit(given.select(pl.struct(pl.all()).struct.json_encode()).to_series())
        return rows.select(
            pl.col(ID).alias("id"),
            pl.col(TIME).alias("time"),
            scores.alias("score"),
            pl.lit(1, dtype=pl.Int64).alias("version"),
            pl.lit(digest).alias("digest"),
            decisions.alias("decision"),
            inputs.alias("inputs"),
        )

    def _report(self) -> dict[str, Any]:
        with self._project.engine.connect() as connection:
            accepted = versions.get(connection, 1).metrics
            windows = remembered.all_windows(connection)
            alerts = remembered.load_alerts(connection, resolved_after=datetime.min.replace(tzinfo=UTC))
        return {
            "reference": {
                "rows": self._then.height,
                "until": format_time(cast(datetime, self._now[TIME].min())),
                "task": self._task,
                "inputs": [field.name for field in self._fields],
                "metrics": accepted,
            },
            "windows": [_brief(window) for window in windows],
            "findings": [
                {"window": format_time(window["start"]), **finding}
                for window in windows
                for finding in window["drift"]
                if finding["status"] == "moved"
            ],
            "alerts": [{"id": key, **alert.as_json()} for key, alert in alerts.items()],
        }


def _brief(window: dict[str, Any]) -> dict[str, Any]:
    return {
        "start": format_time(window["start"]),
        "end": format_time(window["end"]),
        "state": window["state"],
        "rows": window["rows"],
        "labelled": window["labelled"],
        "quality": window["quality"],
        "estimated": window["details"]["estimated"],
        "reweighted": window["details"].get("reweighted", {}),
        "slices": window["details"]["slices"],
    }


def _document(log: Log, task: TaskKind) -> Document:
    try:
        return load_charter(_charter(log, task))
    except CharterMistake as error:
        key = error.place.rpartition(" ")[2]
        raise UserMistake(_OPTIONS.get(key, key), error.what, error.remedy) from error


def _charter(log: Log, task: TaskKind) -> str:
    """The charter of a model that runs elsewhere: what watching reads of one."""
    metric = "rmse <= 1e300" if task == "regression" else "roc_auc >= 0.5"
    return json.dumps(
        {
            "project": "elsewhere",
            "goal": {"statement": "Watch a model that runs elsewhere"},
            "task": {
                "type": task,
                "target": log.label,
                "id": log.id,
                "time": log.time,
                "label_delay": format_duration(log.label_delay) if log.label_delay else None,
            },
            "data": {"sources": {"log": "predictions"}},
            "accept": [metric],
            "monitor": {
                "window": format_duration(log.window),
                "slices": list(log.slices),
                "drift": {"effect": log.effect, "false_alarms": log.false_alarms},
            },
        }
    )


def _outcome_rows(labels: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": labels[ID],
            "value": [json.dumps(value) for value in labels[LABEL].to_list()],
            "time": labels[KNOWN].cast(pl.Datetime("us", "UTC")),
        }
    )
