"""Starting a project: a first look at a table, and a charter with expectations drafted from it."""

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from vitok.charter.draft import Facts, draft_charter
from vitok.charter.load import load_charter
from vitok.data import expectations as expecting
from vitok.data.leakage import find_leaks
from vitok.data.snapshot import require_columns, time_column
from vitok.data.sources import read_table
from vitok.data.target import find_classes
from vitok.errors import DataMistake, UserMistake
from vitok.stats.catalogue import TaskKind
from vitok.store.blobs import write_atomically
from vitok.train.columns import choose_features

_PERSONAL = re.compile(
    r"(^|_)(e?mail|phone|ssn|passport|first_?name|last_?name|surname|full_?name|address|iban|birth_?date|tax_?id)($|_)",
    re.I,
)
_ID = re.compile(r"(^|[_\W])(id|uuid|guid|key|no|nr|number)$|^id", re.I)
_FEW_CLASSES = 20
_COUNTED = 20


@dataclass(frozen=True)
class Wishes:
    """What the user said on the command line; None where Vitok is to look for itself."""

    target: str
    time: str | None = None
    id: str | None = None
    entity: str | None = None
    task: TaskKind | None = None
    label_delay: timedelta | None = None
    exclude: tuple[str, ...] = ()


def init_project(folder: Path, data: Path, wishes: Wishes) -> dict[str, Any]:
    """Drafts a project in a folder: `vitok.yaml` and `expectations.yaml`.

    Returns:
        The object that `vitok init --json` prints.

    Raises:
        UserMistake: the folder holds a project already.
        DataMistake: the table cannot be used, or a column tells the target.
    """
    charter_path = folder / "vitok.yaml"
    if folder.exists() and not folder.is_dir():
        raise UserMistake(str(folder), "is a file", "Choose another folder.")
    if charter_path.exists():
        raise UserMistake(
            str(charter_path), "there is a charter already", "Choose another folder, or edit that one."
        )
    frame = read_table(data)
    _require(frame, wishes)
    expected = expecting.infer(frame, [])
    raw = frame
    frame, lost = expecting.coerce(frame, expected)
    warnings = _numbers_in_text(raw, frame)
    warnings += [
        f"column {name}: {count} cells do not read as {expected.columns[name].type} and count as missing"
        for name, count in lost.items()
    ]
    facts = _look(folder, data, frame, wishes, warnings)
    text = draft_charter(facts)
    charter = load_charter(text).charter
    require_columns(frame, charter)
    _refuse_leaks(frame, facts)
    final = expecting.infer(frame, [facts.id] if facts.id else [])
    final = _with_time(final, facts.time)
    write_atomically(folder / "expectations.yaml", expecting.to_yaml(final).encode())
    write_atomically(charter_path, text.encode())
    return {
        "project": facts.project,
        "folder": str(folder),
        "task": facts.task,
        "target": facts.target,
        "rows": frame.height,
        "columns": {name: column.type for name, column in final.columns.items()},
        "warnings": warnings,
        "files": ["vitok.yaml", "expectations.yaml"],
    }


def _require(frame: pl.DataFrame, wishes: Wishes) -> None:
    named = {"--target": wishes.target, "--time": wishes.time, "--id": wishes.id, "--entity": wishes.entity}
    for option, name in (*named.items(), *(("--exclude", name) for name in wishes.exclude)):
        if name is not None and name not in frame.columns:
            raise DataMistake(
                option, f"there is no column {name!r}", f"Columns: {', '.join(frame.columns[:30])}."
            )
    roles = {option: name for option, name in named.items() if name is not None}
    taken = list(roles.values())
    for option, name in (*roles.items(), *(("--exclude", name) for name in wishes.exclude)):
        if taken.count(name) + wishes.exclude.count(name) > 1:
            raise DataMistake(option, f"column {name!r} is given two parts to play", "Name it once.")
    if frame.height < 2:
        raise DataMistake(
            "data",
            f"the table has {frame.height} row(s)",
            "Give a table with rows to learn from and to judge by.",
        )


def _look(folder: Path, data: Path, frame: pl.DataFrame, wishes: Wishes, warnings: list[str]) -> Facts:
    comments: dict[str, str] = {}
    target = frame[wishes.target]
    if target.null_count():
        warnings.append(f"column {target.name}: {target.null_count()} rows have no label and are not used")
    task = wishes.task or _task_of(target, comments)
    classes = find_classes(target.drop_nulls(), task, None)
    positive = classes.values[-1] if task == "binary" else None
    if task == "binary":
        comments["task.positive"] = f"the other value is {classes.values[0]!r}"
    time = wishes.time or _find_time(frame, comments)
    if time is not None:
        time_column(frame[time])
    counters = [s.name for s in frame if _is_counter(s) and s.name not in (wishes.target, wishes.id, time)]
    identity = wishes.id or _find_id(frame, {wishes.target, time}, comments)
    counters = [name for name in counters if name != identity]
    warnings += [f"column {name} counts the rows: kept out of the model" for name in counters]
    personal = [
        n
        for n in frame.columns
        if _PERSONAL.search(n) and n not in (wishes.target, identity, time, *wishes.exclude)
    ]
    if personal:
        comments["data.personal"] = "guessed from the names: never features"
        warnings.append(f"columns {', '.join(personal)} look personal and are kept out of the model")
    features = [
        n
        for n in frame.columns
        if n not in {wishes.target, identity, time, wishes.entity, *wishes.exclude, *personal, *counters}
    ]
    chosen = choose_features(frame.select(features))
    useless = chosen.left_out
    if not chosen.kinds:
        reasons = "; ".join(f"{name} {reason}" for name, reason in useless.items()) or "there are no others"
        raise DataMistake(
            "data",
            f"no column is left to predict {target.name!r} from ({reasons})",
            "Give a table with features.",
        )
    warnings += [f"column {name} {reason}: not a feature" for name, reason in useless.items()]
    path = os.path.relpath(data.resolve(), folder.resolve())
    return Facts(
        _project_name(folder),
        path,
        task,
        wishes.target,
        positive,
        identity,
        time,
        wishes.entity,
        wishes.label_delay,
        [*wishes.exclude, *counters],
        personal,
        frame.height,
        0 if positive is None else int((target == positive).sum()),
        comments,
    )


def _task_of(target: pl.Series, comments: dict[str, str]) -> TaskKind:
    distinct = target.drop_nulls().n_unique()
    if target.dtype == pl.Boolean or distinct == 2:
        return "binary"
    whole = target.dtype.is_integer() or (
        target.dtype.is_float() and bool((target.drop_nulls() % 1 == 0).all())
    )
    if not target.dtype.is_numeric() or (whole and distinct <= _FEW_CLASSES):
        comments["task.type"] = f"{distinct} distinct values"
        return "multiclass"
    comments["task.type"] = f"numbers with {distinct} distinct values"
    return "regression"


def _find_time(frame: pl.DataFrame, comments: dict[str, str]) -> str | None:
    times = [s.name for s in frame if s.dtype.is_temporal() and s.null_count() == 0]
    if len(times) != 1 or frame[times[0]].n_unique() < 3:
        return None
    comments["task.time"] = "the only complete time column; remove the line to split at random"
    return times[0]


def _find_id(frame: pl.DataFrame, taken: set[str | None], comments: dict[str, str]) -> str | None:
    for series in frame:
        is_key = series.dtype == pl.String or series.dtype.is_integer()
        if (
            series.name not in taken
            and is_key
            and _ID.search(series.name)
            and not series.null_count()
            and not series.is_duplicated().any()
        ):
            comments["task.id"] = "unique in every row; outcomes are joined by it"
            return series.name
    return None


def _numbers_in_text(raw: pl.DataFrame, read: pl.DataFrame) -> list[str]:
    """How texts were read as numbers, with an example of each column."""
    notes = []
    for series in raw:
        if series.dtype == pl.String and read[series.name].dtype.is_numeric():
            place = read[series.name].is_not_null().arg_true()
            commas = series.gather(place).str.contains(",", literal=True).arg_true()
            shown = place[commas[0]] if len(commas) else place[0]
            notes.append(
                f"column {series.name}: text is read as numbers, {series[shown]!r} as {read[series.name][shown]:g}"
            )
    return notes


def _is_counter(series: pl.Series) -> bool:
    """Whether a column numbers the rows one by one; such a column is an id, whatever its name."""
    if not series.dtype.is_integer() or len(series) < _COUNTED or series.null_count():
        return False
    span = int(series.max()) - int(series.min()) + 1  # type: ignore[arg-type]
    return span == len(series) and series.n_unique() == len(series)


def _project_name(folder: Path) -> str:
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.resolve().name.lower()).strip("-_")
    return name if name and name[0].isalpha() else f"project-{name}".rstrip("-")


def _refuse_leaks(frame: pl.DataFrame, facts: Facts) -> None:
    labelled = frame.filter(pl.col(facts.target).is_not_null())
    closed = {facts.target, facts.id, facts.time, facts.entity, *facts.exclude, *facts.personal}
    kinds = choose_features(labelled.select(n for n in frame.columns if n not in closed)).kinds
    classes = find_classes(labelled[facts.target], facts.task, None)
    truth = classes.encode(labelled[facts.target])
    leaks = find_leaks(labelled.select(list(kinds)), truth, len(classes.values), 0)
    if leaks:
        named = ", ".join(f"{leak.column} ({leak.measure} {leak.value:.4f} alone)" for leak in leaks)
        raise DataMistake(
            f"column {leaks[0].column}",
            f"tells the target {facts.target!r}: {named}",
            f"If it is not known at the moment of the decision, add --exclude {leaks[0].column}; otherwise "
            "write the charter by hand with it under data.trusted.",
        )


def _with_time(expected: expecting.Expectations, time: str | None) -> expecting.Expectations:
    if time is None:
        return expected
    column = expected.columns[time].model_copy(update={"type": "time", "low": None, "high": None})
    return expected.model_copy(update={"columns": {**expected.columns, time: column}})
