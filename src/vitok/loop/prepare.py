"""From the sources to encoded parts: what every fit and every verdict of a turn works on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from vitok.charter.dataset import Split
from vitok.charter.model import Charter
from vitok.data.leakage import find_leaks
from vitok.data.snapshot import TABLE, Snapshot, load_expectations, take_snapshot, time_column
from vitok.data.splits import Parts, split
from vitok.data.target import Classes, find_classes
from vitok.errors import DataMistake, NotFound, did_you_mean
from vitok.loop.project import Project
from vitok.model.bundle import Field
from vitok.model.features import encode, load_feature_function, slots
from vitok.model.runtime import input_frame
from vitok.stats.catalogue import TaskKind
from vitok.stats.images import EXAMPLE, is_image, require_images
from vitok.train.columns import Columns, choose_features
from vitok.train.fit import TrainingSet

_LEVELS = 50

FeatureCode = tuple[str | None, str | None, Callable[[pl.DataFrame], pl.DataFrame] | None]
NO_CODE: FeatureCode = (None, None, None)


@dataclass(frozen=True)
class Prepared:
    """Everything that a turn knows of its data.

    Args:
        snapshot: The rows and their version.
        classes: Meaning of the target's codes.
        truth: Codes or values of all rows, shape (n,).
        parts: Row numbers of train, validation and test.
        inputs: Fields that a request will have to give.
        columns: Features and what was left out.
        encoded: All rows as the graph takes them.
        feature_source, feature_function: The user's code, if any.
    """

    snapshot: Snapshot
    classes: Classes
    truth: np.ndarray
    parts: Parts
    inputs: list[Field]
    columns: Columns
    encoded: pl.DataFrame
    feature_source: str | None
    feature_function: str | None

    def training_set(self, charter: Charter) -> TrainingSet:
        """The rows to fit and validate on, as the charter weighs them, and the cores that it allows."""
        kinds: dict[str, str] = dict(self.columns.kinds)
        train = charter.train
        rows = training_set(self.classes.task, self.encoded, self.truth, self.parts, kinds, train.seed)
        return replace(rows, weights=self._weights(charter), cores=train.cores)

    def _weights(self, charter: Charter) -> np.ndarray | None:
        """How much each training row counts: by its age beside the newest, where the charter has a half-life."""
        half_life, time = charter.retrain.half_life, charter.task.time
        if half_life is None or time is None:
            return None
        moments = time_column(self.snapshot.frame[time])[self.parts.train].dt.epoch("s").to_numpy()
        return np.asarray(0.5 ** ((moments.max() - moments) / half_life.total_seconds()))


def training_set(
    task: TaskKind, encoded: pl.DataFrame, truth: np.ndarray, parts: Parts, kinds: dict[str, str], seed: int
) -> TrainingSet:
    """The rows to fit and validate on.

    Args:
        encoded: All rows as the graph takes them.
        kinds: Of the features.
    """
    names = slots(kinds)
    return TrainingSet(
        task=task,
        train=encoded[parts.train],
        truth=truth[parts.train],
        validation=encoded[parts.validation],
        validation_truth=truth[parts.validation],
        numbers=[names[name] for name, kind in kinds.items() if kind != "category"],
        categories=[names[name] for name, kind in kinds.items() if kind == "category"],
        seed=seed,
    )


def prepare(project: Project, as_of: datetime, *, keep: bool = True) -> Prepared:
    """Takes a snapshot and makes it ready.

    Args:
        as_of: What was known by then counts.
        keep: Whether the snapshot becomes a version of the lake table.

    Raises:
        DataMistake: the data does not fit the charter, or a feature tells the target.
    """
    charter = project.charter
    rows, lost = project.rows()
    snapshot = take_snapshot(
        rows,
        lost,
        charter,
        load_expectations(project.code, charter),
        project.lake if keep else None,
        as_of=as_of,
        window=charter.retrain.window,
        season=charter.retrain.season,
    )
    return prepare_snapshot(snapshot, charter, feature_code(project))


def store_prepared(prepared: Prepared) -> dict[str, Any]:
    """What a snapshot is found by again, as JSON values."""
    snapshot = prepared.snapshot
    return {
        "version": snapshot.version,
        "digest": snapshot.digest,
        "rows": snapshot.frame.height,
        "left_out": snapshot.left_out,
        "lost_cells": snapshot.lost_cells,
    }


def load_prepared(project: Project, stored: dict[str, Any]) -> Prepared:
    """Makes a snapshot of the lake ready again, as it was.

    Raises:
        NotFound: that version of the table is gone.
    """
    frame, time = project.lake.read(TABLE, stored["version"]), project.charter.task.time
    span = (None, None) if time is None else (frame[time][0], frame[time][-1])
    known = {name: stored[name] for name in ("version", "digest", "left_out", "lost_cells")}
    snapshot = Snapshot(frame=frame, start=span[0], end=span[1], **known)
    return prepare_snapshot(snapshot, project.charter, feature_code(project))


def prepare_snapshot(snapshot: Snapshot, charter: Charter, code: FeatureCode = NO_CODE) -> Prepared:
    """Makes a snapshot ready: target, parts, features.

    Args:
        code: The charter's feature function.

    Raises:
        DataMistake: the data does not fit the charter, or a feature tells the target.
    """
    frame = snapshot.frame
    classes = find_classes(frame[charter.task.target], charter.task.type, charter.task.positive)
    truth = classes.encode(frame[charter.task.target])
    parts = divide(frame, truth, classes, charter.task.time, charter.data.split, charter.train.seed)
    source, name, function = code
    raw = frame.select(input_columns(frame, charter))
    for image in charter.data.images:
        _require_image(raw, image)
    fields = describe_inputs(raw)
    raw = input_frame(fields, raw)
    derived = raw if function is None else function(raw)
    columns = choose_features(derived[parts.train])
    if not columns.kinds:
        raise DataMistake("data", "no column can be a feature", f"Left out: {columns.left_out}.")
    _refuse_leaks(derived, truth, parts, columns, charter, len(classes.values))
    inputs = [field for field in fields if function is not None or field.name in columns.kinds]
    encoded = encode(derived, dict(columns.kinds))
    return Prepared(snapshot, classes, truth, parts, inputs, columns, encoded, source, name)


def divide(
    frame: pl.DataFrame, truth: np.ndarray, classes: Classes, time: str | None, division: Split, seed: int
) -> Parts:
    """The parts of a snapshot, as a charter's `data.split` says.

    Args:
        time: The column with the moment of the decision.
    """
    return split(
        truth,
        None if time is None else frame[time],
        by=division.by,
        test=division.test,
        validation=division.validation,
        classes=classes.values,
        seed=seed,
    )


def feature_code(project: Project) -> FeatureCode:
    """The charter's feature function: its text, its name, and itself; all None if there is none.

    Raises:
        NotFound: the file is missing.
        UserMistake: it does not run.
    """
    if project.charter.features is None:
        return NO_CODE
    file, _, name = project.charter.features.partition(":")
    path = project.code / file
    place = project.document.place(("features",))
    if not name or not path.is_file():
        raise NotFound(
            place,
            f"{project.charter.features!r} names no function in a file of the project",
            "Write file.py:function.",
        )
    source = path.read_text(encoding="utf-8")
    return source, name, load_feature_function(source, name, file)


def input_columns(frame: pl.DataFrame, charter: Charter) -> list[str]:
    """Columns that may be inputs: all but target, ids, label time, personal and excluded ones.

    The time of the decision is an input only for a feature function to derive from.
    """
    task = charter.task
    closed = {
        task.target,
        task.id,
        task.entity,
        task.label_time,
        *charter.data.exclude,
        *charter.data.personal,
    }
    if charter.features is None:
        closed.add(task.time)
    return [name for name in frame.columns if name not in closed]


def describe_inputs(raw: pl.DataFrame) -> list[Field]:
    """The fields of a request, as training rows showed them."""
    return [_field(series) for series in raw]


def _require_image(raw: pl.DataFrame, name: str) -> None:
    if name not in raw.columns:
        what = f"there is no input {name!r}"
        raise DataMistake("data.images", what, f"{did_you_mean(name, raw.columns)}Name a column of the data.")
    require_images(raw[name], "data.images")


def _field(series: pl.Series) -> Field:
    present = series.drop_nulls()
    example: Any = present[0] if len(present) else None
    kind, integer, levels = "category", False, []
    if series.dtype == pl.Boolean:
        kind = "boolean"
    elif series.dtype.is_temporal():
        kind = "time"
        example = None if example is None else example.isoformat()
    elif series.dtype.is_numeric():
        kind, integer = "number", bool(series.dtype.is_integer())
    elif is_image(series):
        example = EXAMPLE  # one of a user's would fill every page that shows it
    else:
        counts = present.value_counts(sort=True).head(_LEVELS)
        levels = counts[series.name].to_list()
    return Field(series.name, kind, series.null_count() > 0, integer, levels, example)


def _refuse_leaks(
    derived: pl.DataFrame, truth: np.ndarray, parts: Parts, columns: Columns, charter: Charter, classes: int
) -> None:
    judged = derived[parts.train].select(name for name in columns.kinds if name not in charter.data.trusted)
    leaks = find_leaks(judged, truth[parts.train], classes, charter.train.seed)
    if leaks:
        named = ", ".join(f"{leak.column} ({leak.measure} {leak.value:.4f} alone)" for leak in leaks)
        raise DataMistake(
            f"column {leaks[0].column}",
            f"tells the target {charter.task.target!r} before it can be known: {named}",
            "Add it to data.exclude; or, if it truly is known at the moment of "
            "the decision, to data.trusted.",
        )
