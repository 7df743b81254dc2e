"""`vitok check`: everything about a project that would stop a turn or surprise its owner."""

from collections.abc import Iterator
from datetime import timedelta
from statistics import median
from typing import Any

from vitok.charter.answers import AFTER
from vitok.charter.expressions import Comparison, Schedule, Slice
from vitok.charter.planning import Outside
from vitok.charter.power import undecidable_gates
from vitok.charter.predicates import columns_of
from vitok.charter.problems import Problem
from vitok.charter.section import Path
from vitok.charter.watchers import AlertWatcher
from vitok.data.scope import count_rows
from vitok.data.snapshot import time_column
from vitok.errors import VitokError
from vitok.kernel.clock import format_duration
from vitok.loop.prepare import Prepared, prepare
from vitok.loop.project import Project
from vitok.loop.review import error_problem, report, review_charter
from vitok.registry import turns, versions
from vitok.stats.power import TestSize

_RECENT = 5
_ROOM = 1.2  # rows need not fill a test period to its last hour


def check_project(project: Project) -> dict[str, Any]:
    """Reviews charter, past turns and data; the object that `vitok check --json` prints. Keeps and trains nothing."""
    return report([*review_charter(project.document), *_experience(project), *_data(project)])


def _experience(project: Project) -> Iterator[Problem]:
    """What past turns say about the charter: schedules shorter than a turn, limits that no version kept."""
    with project.engine.connect() as connection:
        past, known = turns.all_turns(connection), versions.all_versions(connection)
    place, charter, rules = project.document.place, project.charter, project.document.rules
    lengths = [sum(turn.seconds.values()) for turn in past if turn.version is not None][-_RECENT:]
    for index, trigger in enumerate(rules.triggers):
        if not lengths or not isinstance(trigger, Schedule) or isinstance(trigger.period, str):
            continue
        if trigger.period.total_seconds() < median(lengths):
            took = format_duration(timedelta(seconds=round(median(lengths))))
            what = f"`{charter.retrain.on[index]}` is due before a turn can end: the last ones took {took}"
            yield Problem(place(("retrain", "on", index)), what, "Retrain less often.", "warning")
    for index, gate in enumerate(rules.gates):
        if not isinstance(gate, Comparison) or not gate.metric.startswith("latency"):
            continue
        seen = [version.metrics[gate.metric]["value"] for version in known if gate.metric in version.metrics]
        if seen and min(seen) > gate.bound.offset:
            what = f"no version kept `{gate}` so far: the fastest of {len(seen)} took {min(seen):.3g} ms"
            yield Problem(
                place(("accept", index)), what, "Allow more, or look for faster candidates.", "warning"
            )


def _data(project: Project) -> Iterator[Problem]:
    try:
        prepared = prepare(project, project.clock(), keep=False)
    except VitokError as error:
        yield error_problem(error)
        return
    for warning in prepared.parts.warnings:
        yield Problem("data.split", warning, "Give more rows, or a larger test share.", "warning")
    if prepared.classes.task != "regression":
        truth = prepared.truth[prepared.parts.test]
        size = TestSize(len(truth), int((truth == len(prepared.classes.values) - 1).sum()))
        yield from undecidable_gates(project.document, size)
    yield from _short_tests(project, prepared)
    yield from _absent_groups(project, prepared)
    yield from _out_of_scope(project, prepared)
    yield from _columns(project, prepared)
    yield from _unknown_columns(project, prepared.snapshot.frame.columns)


def _short_tests(project: Project, prepared: Prepared) -> Iterator[Problem]:
    """Gates on a longer period than the test rows span: they are judged on less than they say."""
    time, rows = project.charter.task.time, prepared.parts.test
    if time is None or not len(rows):
        return
    moments = time_column(prepared.snapshot.frame[time])[rows].dt.epoch("us")
    span = timedelta(microseconds=float(moments.max() - moments.min()))  # type: ignore[operator, arg-type]
    for index, gate in enumerate(project.document.rules.gates):
        if isinstance(gate, Comparison) and gate.period is not None and gate.period > span * _ROOM:
            days = span / timedelta(days=1)
            what = f"`{gate}` is judged on {days:.1f} days, all that the test rows span"
            where = project.document.place(("accept", index))
            yield Problem(where, what, "Shorten the window, or widen data.split.test.", "warning")


def _absent_groups(project: Project, prepared: Prepared) -> Iterator[Problem]:
    """Groups that gates name and no test row is in."""
    test = prepared.snapshot.frame[prepared.parts.test]
    for index, gate in enumerate(project.document.rules.gates):
        named = (gate.part, gate.bound.reference) if isinstance(gate, Comparison) else ()
        for group in (each for each in named if isinstance(each, Slice) and each.value is not None):
            if group.column in test.columns and not (test[group.column].cast(str) == group.value).any():
                what = f"no test row has {group.column}={group.value!r}: `{gate}` cannot be decided"
                where = project.document.place(("accept", index))
                yield Problem(where, what, "Name a group of the data, or leave the gate out.", "warning")


def _out_of_scope(project: Project, prepared: Prepared) -> Iterator[Problem]:
    """Rows that the charter leaves out and the data still holds."""
    frame = prepared.snapshot.frame
    for index, outside in enumerate(project.charter.scope.out):
        if not isinstance(outside, Outside) or outside.where is None:
            continue
        place = project.document.place(("scope", "out", index))
        try:
            count = count_rows(frame, outside.where, place)
        except VitokError as error:
            yield error_problem(error)
            continue
        if count:
            what = f"{outside.what!r} are out of scope, but {count} of {frame.height} rows are such"
            remedy = f"Leave them out in data.query: ... WHERE NOT ({outside.where})."
            yield Problem(place, what, remedy, "warning")


def _columns(project: Project, prepared: Prepared) -> Iterator[Problem]:
    for name, reason in prepared.columns.left_out.items():
        if name == project.charter.task.time:
            continue  # what the feature function derives from it is a feature
        remedy = "Add it to data.exclude to silence this."
        yield Problem(f"column {name}", f"{reason}: not a feature", remedy, "note")
    for name, count in prepared.snapshot.lost_cells.items():
        what = f"{count} cells do not read as its type and count as missing"
        yield Problem(f"column {name}", what, "Mend the source.", "warning")


def _unknown_columns(project: Project, known: list[str]) -> Iterator[Problem]:
    """Columns that rules, slices or watchers name and the data does not have."""
    charter, rules, place = project.charter, project.document.rules, project.document.place
    sections = {
        ("accept",): rules.gates,
        ("retrain", "on"): rules.triggers,
        ("monitor", "alerts"): rules.alerts,
    }
    named: list[tuple[Path, str]] = [
        ((*section, index), column)
        for section, found in sections.items()
        for index, rule in enumerate(found)
        for column in (rule.columns if isinstance(rule, Comparison) else [])
    ]
    named += [(("monitor", "slices", index), column) for index, column in enumerate(charter.monitor.slices)]
    named += [
        (("decide", "rules", index), column)
        for index, rule in enumerate(project.document.decisions.rules)
        for column in sorted(columns_of(rule.when) - AFTER)
    ]
    for index, watcher in enumerate(project.document.watchers):
        if isinstance(watcher, AlertWatcher) and watcher.column is not None:
            named.append((("risks", index, "watched_by"), watcher.column))
    for path, column in named:
        if column not in known:
            what = f"the data has no column {column!r}: this can never be decided"
            yield Problem(place(path), what, "Name a column of the data.", "error")
