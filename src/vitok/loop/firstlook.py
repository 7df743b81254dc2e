"""A first look at a table: what its columns are, before anybody said anything about them."""

import re
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

from vitok.data.leakage import Leak, find_leaks
from vitok.data.snapshot import time_column
from vitok.data.target import Value, find_classes
from vitok.errors import DataMistake
from vitok.stats.catalogue import TaskKind
from vitok.train.columns import choose_features

_PERSONAL = re.compile(
    r"(^|_)(e?mail|phone|ssn|passport|first_?name|last_?name|surname|full_?name|address|iban|birth_?date|tax_?id)($|_)",
    re.I,
)
_ID = re.compile(r"(^|[_\W])(id|uuid|guid|key|no|nr|number)$|^id", re.I)
_ENTITY = re.compile(
    r"(^|_)(customer|client|user|account|patient|machine|device|vehicle|member|person)_?(id|no|nr|num|number)$"
    r"|tail_?num(ber)?$|(^|_)vin$|serial(_?(no|nr|number))?$",
    re.I,
)
_TARGET = re.compile(
    r"^(target|label|y|class|outcome|churn(ed)?|default(ed)?|fraud|is_fraud|survived|response|late)$", re.I
)
_LABEL_TIME = re.compile(
    r"label|outcome|landed|arriv|closed|resolved|returned|repaid|settled|delivered|ended|finished|completed",
    re.I,
)
_TIME = re.compile(
    r"^(time|timestamp|date|datetime|ts|created(_at)?|event_?time|decision_?time|decided(_at)?|order_?date)$",
    re.I,
)
_FEW_CLASSES = 20
_COUNTED = 20
_PER_ENTITY = 2.0


@dataclass(frozen=True)
class Wishes:
    """What the user said; None where Vitok is to look for itself."""

    target: str = ""
    time: str | None = None
    id: str | None = None
    entity: str | None = None
    task: TaskKind | None = None
    label_delay: timedelta | None = None
    exclude: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()
    positive: Value | None = None
    statement: str | None = None
    owner: str | None = None
    costs: tuple[float, float, float, float] | None = None
    template: str | None = None


@dataclass
class Look:
    """What the columns seem to be.

    Args:
        task, classes: Kind of task, and the target's values in order (empty for regression).
        counters: Columns that number the rows.
        useless: Columns that can be no features as they are.
        leaks: Features that alone nearly determine the target.
        comments: A remark for a key of the charter, by its dotted name.
        warnings: What the user should know.
    """

    task: TaskKind
    classes: tuple[Value, ...]
    positive: Value | None
    time: str | None
    id: str | None
    entity: str | None
    label_time: str | None
    label_delay: timedelta | None
    counters: list[str]
    personal: list[str]
    useless: list[str]
    leaks: list[Leak]
    comments: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def guess_target(frame: pl.DataFrame) -> str | None:
    """A column that looks like a target: by its name, else the only yes-or-no column."""
    named = [name for name in frame.columns if _TARGET.search(name)]
    if named:
        return named[0]
    truths = [series.name for series in frame if series.dtype == pl.Boolean]
    return truths[0] if len(truths) == 1 else None


def look_at(frame: pl.DataFrame, wishes: Wishes) -> Look:
    """Looks at each column of a typed table.

    Raises:
        DataMistake: the target cannot be one, the named time is no time, or no feature is left.
    """
    comments: dict[str, str] = {}
    target = frame[wishes.target]
    task = wishes.task or task_of(target, comments)
    classes = find_classes(target.drop_nulls(), task, wishes.positive)
    positive = classes.values[-1] if task == "binary" else None
    warnings: list[str] = []
    time = wishes.time or _find_time(frame.drop(wishes.exclude), comments, warnings)
    if time is not None:
        time_column(frame[time])
    taken: set[str | None] = {wishes.target, time}
    counters = [s.name for s in frame if _is_counter(s) and s.name not in (*taken, wishes.id)]
    identity = wishes.id or _find_id(frame, taken, comments)
    counters = [name for name in counters if name != identity]
    entity = wishes.entity or _find_entity(frame, {*taken, identity, *wishes.exclude}, comments)
    roles = {wishes.target, time, identity, entity}
    personal = [n for n in frame.columns if _PERSONAL.search(n) and n not in {*roles, *wishes.exclude}]
    label_time, delay = _find_delay(frame, time, {*roles, *wishes.exclude}, comments)
    look = Look(
        task,
        tuple(classes.values),
        positive,
        time,
        identity,
        entity,
        label_time,
        wishes.label_delay or delay,
        counters,
        personal,
        [],
        [],
        comments,
        warnings,
    )
    _say_target(target, look)
    _find_features(frame, wishes, look)
    return look


def _say_target(target: pl.Series, look: Look) -> None:
    """Remarks on labels and their balance."""
    known = target.drop_nulls()
    if target.null_count():
        look.warnings.append(
            f"column {target.name}: {target.null_count()} rows have no label and are not used"
        )
    if look.task == "binary":
        count = int((known == look.positive).sum())
        look.comments["task.positive"] = (
            f"{count} of {len(known)} rows ({count / len(known):.1%}); the other value is {look.classes[0]!r}"
        )
        if count / len(known) < 0.01:
            look.warnings.append(
                f"only {count / len(known):.2%} of the rows are positive: accuracy says nothing here"
            )


def _find_features(frame: pl.DataFrame, wishes: Wishes, look: Look) -> None:
    """What is left to learn from, and what of it tells the target."""
    warnings, comments = look.warnings, look.comments
    warnings += [f"column {name} counts the rows: kept out of the model" for name in look.counters]
    if look.personal:
        comments["data.personal"] = "guessed from the names: never features"
        warnings.append(f"columns {', '.join(look.personal)} look personal and are kept out of the model")
    closed = {wishes.target, look.id, look.time, look.entity, look.label_time}
    closed |= {*wishes.exclude, *look.personal, *look.counters}
    features = frame.select(name for name in frame.columns if name not in closed)
    chosen = choose_features(features)
    if not chosen.kinds:
        reasons = "; ".join(f"{name} {why}" for name, why in chosen.left_out.items()) or "there are no others"
        raise DataMistake(
            "data",
            f"no column is left to predict {wishes.target!r} from ({reasons})",
            "Give a table with features.",
        )
    warnings += [f"column {name} {reason}: not a feature" for name, reason in chosen.left_out.items()]
    look.useless += chosen.left_out
    remarks = [f"{name} {reason.split(';')[0].split(':')[0]}" for name, reason in chosen.left_out.items()]
    if look.counters:
        remarks.append(f"{', '.join(look.counters)} count the rows")
    if remarks:
        comments["data.exclude"] = "; ".join(remarks)
    labelled = frame.filter(pl.col(wishes.target).is_not_null())
    classes = find_classes(labelled[wishes.target], look.task, wishes.positive)
    truth = classes.encode(labelled[wishes.target])
    look.leaks += find_leaks(labelled.select(list(chosen.kinds)), truth, len(classes.values), 0)


def task_of(target: pl.Series, comments: dict[str, str]) -> TaskKind:
    """The kind of task that a target's values suggest."""
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


def _find_time(frame: pl.DataFrame, look_comments: dict[str, str], warnings: list[str]) -> str | None:
    times = [s.name for s in frame if s.dtype.is_temporal() and s.null_count() == 0 and s.n_unique() > 2]
    likely = [name for name in times if not _LABEL_TIME.search(name) and not _PERSONAL.search(name)]
    named = [name for name in likely if _TIME.search(name)] or likely
    if not named:
        return None
    rest = [name for name in likely if name != named[0]]
    if rest:
        look_comments["task.time"] = f"the moment of the decision? also complete: {', '.join(rest)}"
        warnings.append(
            f"column {named[0]} is taken as the moment of the decision, not {', '.join(rest)}: see --time"
        )
    else:
        look_comments["task.time"] = "the only complete time column; remove the line to split at random"
    return named[0]


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


def _find_entity(frame: pl.DataFrame, taken: set[str | None], comments: dict[str, str]) -> str | None:
    """A column that names what several rows belong to, such as a customer."""
    for series in frame:
        is_key = series.dtype == pl.String or series.dtype.is_integer()
        if series.name in taken or not is_key or not _ENTITY.search(series.name) or series.null_count():
            continue
        distinct = series.n_unique()
        if distinct > _COUNTED and len(series) >= _PER_ENTITY * distinct:
            comments["task.entity"] = (
                f"{distinct} of them, {len(series) / distinct:.3g} rows each; routing is sticky"
            )
            return series.name
    return None


def _find_delay(
    frame: pl.DataFrame, time: str | None, taken: set[str | None], comments: dict[str, str]
) -> tuple[str | None, timedelta | None]:
    """The column that says when the label became known, and how long nearly all labels take."""
    if time is None:
        return None, None
    for series in frame:
        if series.name in taken or not series.dtype.is_temporal() or not _LABEL_TIME.search(series.name):
            continue
        waits = (time_column(series) - time_column(frame[time])).drop_nulls()
        if not len(waits) or (waits < timedelta(0)).mean() > 0.01:  # type: ignore[operator]
            continue
        longest = waits.quantile(0.99)
        assert isinstance(longest, timedelta)
        hours = max(1, -(-longest // timedelta(hours=1)))
        delay = timedelta(hours=hours) if hours < 48 else timedelta(days=-(-hours // 24))
        comments["task.label_time"] = "always later than the decision: when the label became known"
        comments["task.label_delay"] = "99 of 100 labels have come by then"
        return series.name, delay
    return None, None


def _is_counter(series: pl.Series) -> bool:
    """Whether a column numbers the rows one by one; such a column is an id, whatever its name."""
    if not series.dtype.is_integer() or len(series) < _COUNTED or series.null_count():
        return False
    span = int(series.max()) - int(series.min()) + 1  # type: ignore[arg-type]
    return span == len(series) and series.n_unique() == len(series)
