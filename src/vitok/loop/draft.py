"""Starting a project: a first look at a table, questions to whoever is there, and a drafted charter."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from vitok.charter.draft import Facts, draft_charter
from vitok.charter.load import load_charter
from vitok.charter.standard_risks import uncovered
from vitok.charter.templates import TEMPLATES, Template
from vitok.data import expectations as expecting
from vitok.data.snapshot import require_columns
from vitok.data.sources import read_table
from vitok.data.target import Value
from vitok.errors import DataMistake, UserMistake
from vitok.kernel.clock import format_duration, parse_duration
from vitok.loop.firstgates import first_gates
from vitok.loop.firstlook import Look, Wishes, guess_target, look_at
from vitok.store.blobs import write_atomically


@dataclass(frozen=True)
class Question:
    """One thing that only a person knows.

    Args:
        text: The question.
        default: What an empty answer means.
        take: Puts an answer into the wishes.
    """

    text: str
    default: str
    take: Callable[[Wishes, str], Wishes]


Ask = Callable[[str, str, Callable[[str], Any]], Any]


def init_project(
    folder: Path, data: Path, wishes: Wishes, *, now: datetime, ask: Ask | None = None
) -> dict[str, Any]:
    """Drafts a project in a folder: `vitok.yaml` and `expectations.yaml`.

    Args:
        now: The present; later rows are no history.
        ask: Puts a question with its default to the user, and gives what the reader of the answer returns, asking
            again as long as that raises a UserMistake; None takes every default.

    Returns:
        The object that `vitok init --json` prints.

    Raises:
        UserMistake: the folder holds a project already, or there is no such template.
        DataMistake: the table cannot be used, or a column tells the target.
    """
    charter_path = folder / "vitok.yaml"
    _require_free(folder, charter_path)
    template = _template(wishes.template)
    raw = read_table(data)
    wishes = _with_target(raw, wishes, ask)
    _require(raw, wishes)
    expected = expecting.infer(raw, [])
    frame, lost = expecting.coerce(raw, expected)
    look = look_at(frame, wishes)
    if ask is not None:
        wishes = _interview(frame, wishes, look, ask)
        _require(raw, wishes)
        look = look_at(frame, wishes)
    _refuse_leaks(look, wishes)
    _require_task(template, wishes, look)
    facts = _facts(folder, data, frame, wishes, look, template)
    charter = load_charter(draft_charter(facts)).charter
    require_columns(frame, charter)
    final = _with_times(expecting.infer(frame, [facts.id] if facts.id else []), facts)
    proposed = first_gates(frame, charter, final, now)
    facts = replace(
        facts,
        gates=proposed.gates,
        slices=proposed.slices,
        baselines=proposed.baselines,
        risks=uncovered(charter),
        comments={**facts.comments, **proposed.comments},
    )
    text = draft_charter(facts)
    load_charter(text)
    write_atomically(folder / "expectations.yaml", expecting.to_yaml(final).encode())
    write_atomically(charter_path, text.encode())
    notes = [*_numbers_in_text(raw, frame), *_lost(lost), *look.warnings, *proposed.warnings]
    return {
        "project": facts.project,
        "folder": str(folder),
        "task": facts.task,
        "target": facts.target,
        "rows": frame.height,
        "columns": {name: column.type for name, column in final.columns.items()},
        "roles": {"id": facts.id, "time": facts.time, "entity": facts.entity, "label_time": facts.label_time},
        "gates": [gate for gate, _ in facts.gates],
        "warnings": notes,
        "files": ["vitok.yaml", "expectations.yaml"],
    }


def _require_free(folder: Path, charter_path: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserMistake(str(folder), "is a file", "Choose another folder.")
    if charter_path.exists():
        what, remedy = "there is a charter already", "Choose another folder, or edit that one."
        raise UserMistake(str(charter_path), what, remedy)


def _template(name: str | None) -> Template | None:
    if name is None:
        return None
    if name not in TEMPLATES:
        raise UserMistake("--template", f"there is no template {name!r}", f"Known: {', '.join(TEMPLATES)}.")
    return TEMPLATES[name]


def _require_task(template: Template | None, wishes: Wishes, look: Look) -> None:
    if template is not None and look.task not in template.tasks:
        what = f"{wishes.template!r} is for {' or '.join(template.tasks)} tasks, this one is {look.task}"
        raise UserMistake("--template", what, "Leave it out, or give another --target or --task.")


def _with_target(frame: pl.DataFrame, wishes: Wishes, ask: Ask | None) -> Wishes:
    if wishes.target:
        return wishes
    guess = guess_target(frame)
    if ask is None:
        near = f" Perhaps {guess!r}?" if guess else ""
        remedy = f"Add --target COLUMN.{near} Columns: {', '.join(frame.columns[:30])}."
        raise UserMistake("--target", "is not given", remedy)

    asked = "Which column is to be predicted?"
    return replace(wishes, target=ask(asked, guess or "", lambda text: _column(frame, text)))


def _interview(frame: pl.DataFrame, wishes: Wishes, look: Look, ask: Ask) -> Wishes:
    """Asks what the table cannot tell and the command line did not say."""
    for question in _questions(frame, wishes, look):
        wishes = ask(question.text, question.default, _taking(question, wishes))
    return wishes


def _taking(question: Question, wishes: Wishes) -> Callable[[str], Wishes]:
    return lambda text: question.take(wishes, text.strip())


def _questions(frame: pl.DataFrame, wishes: Wishes, look: Look) -> Iterator[Question]:
    template = TEMPLATES.get(wishes.template or "")
    statement = template.statement if template else f"Predict {wishes.target}"
    yield Question(
        "What is it for, in one sentence?", statement, lambda w, text: replace(w, statement=text or None)
    )
    yield Question("Who answers for it?", "", lambda w, text: replace(w, owner=text or None))
    if look.task == "binary":
        yield Question(
            f"Which value of {wishes.target} is the one to find ({look.classes[0]} or {look.classes[1]})?",
            str(look.positive),
            lambda w, text: replace(w, positive=_one_of(text, look.classes)),
        )
    times = [series.name for series in frame if series.dtype.is_temporal()]
    if wishes.time is None and times:
        yield Question(
            f"Which column is the moment of the decision ({', '.join(times)}; - for none)?",
            look.time or "-",
            lambda w, text: replace(w, time=None if text in ("", "-") else _column(frame, text)),
        )
    if wishes.label_delay is None and (times or wishes.time is not None):
        yield Question(
            "How long after the decision is the label known (such as 4h or 30d; - if unknown)?",
            format_duration(look.label_delay) if look.label_delay else "-",
            lambda w, text: replace(
                w, label_delay=None if text in ("", "-") else parse_duration(text, "answer")
            ),
        )
    for leak in look.leaks:
        yield Question(
            f"{leak.column} alone nearly tells {wishes.target} ({leak.measure} {leak.value:.3f}). Leave it out?",
            "yes",
            _leaving_out(leak.column),
        )
    if look.task == "binary":
        yield Question(
            "Money for a right flag, a false flag, a miss, a right pass (such as 40 -10 0 0; - for later)?",
            "-",
            lambda w, text: replace(w, costs=_costs(text)),
        )


def _leaving_out(column: str) -> Callable[[Wishes, str], Wishes]:
    def take(wishes: Wishes, text: str) -> Wishes:
        if text.lower() not in ("y", "yes", "n", "no"):
            raise UserMistake("answer", f"{text!r} is neither yes nor no", "Answer yes or no.")
        if text.lower().startswith("n"):
            return replace(wishes, trusted=(*wishes.trusted, column))
        return replace(wishes, exclude=(*wishes.exclude, column))

    return take


def _one_of(text: str, classes: tuple[Value, ...]) -> Value:
    for value in classes:
        if str(value) == text:
            return value
    raise UserMistake("answer", f"{text!r} is no value of the target", f"Values: {classes[0]}, {classes[1]}.")


def _column(frame: pl.DataFrame, text: str) -> str:
    if text not in frame.columns:
        raise UserMistake("answer", f"there is no column {text!r}", f"Columns: {', '.join(frame.columns)}.")
    return text


def _costs(text: str) -> tuple[float, float, float, float] | None:
    if text in ("", "-"):
        return None
    try:
        tp, fp, fn, tn = (float(word) for word in re.split(r"[\s,;]+", text))
    except ValueError as error:
        raise UserMistake("answer", f"{text!r} is not four numbers", "Write such as 40 -10 0 0.") from error
    if tp <= fn or tn <= fp:
        what = "by these figures a wrong decision earns as much as the right one"
        raise UserMistake("answer", what, "The first must exceed the third, the fourth the second.")
    return tp, fp, fn, tn


def _require(frame: pl.DataFrame, wishes: Wishes) -> None:
    named = {"--target": wishes.target, "--time": wishes.time, "--id": wishes.id, "--entity": wishes.entity}
    for option, name in (*named.items(), *(("--exclude", name) for name in wishes.exclude)):
        if name is not None and name not in frame.columns:
            remedy = f"Columns: {', '.join(frame.columns[:30])}."
            raise DataMistake(option, f"there is no column {name!r}", remedy)
    roles = {option: name for option, name in named.items() if name is not None}
    taken = list(roles.values())
    for option, name in (*roles.items(), *(("--exclude", name) for name in wishes.exclude)):
        if taken.count(name) + wishes.exclude.count(name) > 1:
            raise DataMistake(option, f"column {name!r} is given two parts to play", "Name it once.")
    if frame.height < 2:
        what = f"the table has {frame.height} row(s)"
        raise DataMistake("data", what, "Give a table with rows to learn from and to judge by.")


def _refuse_leaks(look: Look, wishes: Wishes) -> None:
    leaks = [leak for leak in look.leaks if leak.column not in wishes.trusted]
    if leaks:
        named = ", ".join(f"{leak.column} ({leak.measure} {leak.value:.4f} alone)" for leak in leaks)
        raise DataMistake(
            f"column {leaks[0].column}",
            f"tells the target {wishes.target!r}: {named}",
            f"If it is not known at the moment of the decision, add --exclude {leaks[0].column}; otherwise "
            "write the charter by hand with it under data.trusted.",
        )


def _facts(
    folder: Path, data: Path, frame: pl.DataFrame, wishes: Wishes, look: Look, template: Template | None
) -> Facts:
    delay = look.label_delay
    if delay is None and template is not None and template.label_delay is not None and look.time is not None:
        delay = parse_duration(template.label_delay)
        look.comments["task.label_delay"] = "usual for this kind of project: put your own"
    return Facts(
        project=_project_name(folder),
        path=os.path.relpath(data.resolve(), folder.resolve()),
        task=look.task,
        target=wishes.target,
        rows=frame.height,
        positive=look.positive,
        id=look.id,
        time=look.time,
        entity=look.entity,
        label_delay=delay,
        label_time=look.label_time,
        exclude=[*wishes.exclude, *look.counters, *look.useless],
        personal=look.personal,
        trusted=list(wishes.trusted),
        statement=wishes.statement,
        owner=wishes.owner,
        costs=wishes.costs,
        template=template,
        comments=look.comments,
    )


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


def _lost(cells: dict[str, int]) -> list[str]:
    return [
        f"column {name}: {count} cells do not read as its type and count as missing"
        for name, count in cells.items()
    ]


def _project_name(folder: Path) -> str:
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.resolve().name.lower()).strip("-_")
    return name if name and name[0].isalpha() else f"project-{name}".rstrip("-")


def _with_times(expected: expecting.Expectations, facts: Facts) -> expecting.Expectations:
    """Times of the decision and of the label are times, of no fixed range."""
    columns = dict(expected.columns)
    for name in (facts.time, facts.label_time):
        if name is not None:
            columns[name] = columns[name].model_copy(update={"type": "time", "low": None, "high": None})
    return expected.model_copy(update={"columns": columns})
