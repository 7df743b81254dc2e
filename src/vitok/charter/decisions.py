"""The charter's rules for decisions and for trouble, parsed into typed objects."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from vitok.charter.answers import Answer, Holdout, Limit, Rule
from vitok.charter.model import Charter
from vitok.charter.planning import Outside
from vitok.charter.predicates import parse_condition_on_rows
from vitok.charter.section import Path
from vitok.errors import CharterMistake

_ANSWER = re.compile(r"\s*(hand_over|default\((.*)\))\s*", re.DOTALL)
_LIMITED = re.compile(r"(.*?)(?:\s+(within|beyond|for)\s+(\S+))?\s*", re.DOTALL)
_NEAR, _STRANGE = 0.05, 0.999


@dataclass(frozen=True, slots=True)
class Decisions:
    """All of them.

    Args:
        fallback: The answer when no version can, None for an error; `previous` says whether the version before is
            asked first.
    """

    scope: tuple[Rule, ...]
    rules: tuple[Rule, ...]
    unsure: Limit | None
    outlier: Limit | None
    previous: bool
    fallback: Answer | None
    holdout: Holdout | None = None


def parse_decisions(charter: Charter, place: Callable[[Path], str]) -> Decisions:
    """Parses what `decide`, `scope.out` and `serve.fallback` say.

    Args:
        place: From a path of the charter to where it stands, for messages.

    Raises:
        CharterMistake: a rule, a condition or an answer cannot be read, or does not fit the task.
    """
    decide, task = charter.decide, charter.task.type
    outside = Answer(hand_over=True)
    if decide.out_of_scope is not None:
        outside = _answer(decide.out_of_scope, place(("decide", "out_of_scope")), task)
    scope = [
        _part_of_scope(entry, outside, place(("scope", "out", number)))
        for number, entry in enumerate(charter.scope.out)
        if isinstance(entry, Outside) and entry.where is not None
    ]
    rules = [_rule(text, place(("decide", "rules", n)), task) for n, text in enumerate(decide.rules)]
    if decide.unsure is not None and task == "regression":
        where = place(("decide", "unsure"))
        raise CharterMistake(where, "has no meaning for a regression task", "Leave it out.")
    previous, fallback = _fallback(charter, place)
    if "fallback" in charter.incidents.first_aid and fallback is None:
        raise CharterMistake(
            place(("incidents", "first_aid")),
            "asks for the fallback, and serve.fallback names no answer",
            "Write serve: {fallback: [previous, hand_over]}, or default(VALUE) in its place.",
        )
    return Decisions(
        tuple(scope),
        tuple(rules),
        _distance(decide.unsure, place(("decide", "unsure")), task),
        _share(decide.outlier, place(("decide", "outlier")), task),
        previous,
        fallback,
        _holdout(charter, place(("decide", "holdout"))),
    )


def _holdout(charter: Charter, place: str) -> Holdout | None:
    """`default(VALUE) for SHARE%`, of the units."""
    text = charter.decide.holdout
    if text is None:
        return None
    example = "Write such as default(false) for 5%."
    match = _LIMITED.fullmatch(text)
    if match is None or match[2] != "for":
        raise CharterMistake(place, f"{text!r} names no share of the units", example)
    share = _percent(match[3])
    if not 0 < share <= 0.5:
        raise CharterMistake(place, f"{match[3]!r} is no share above 0% and up to 50%", example)
    answer = _answer(match[1], place, charter.task.type)
    if answer.hand_over:
        what = "hands over: of what people decide nobody knows what it would have been worth"
        raise CharterMistake(place, what, example)
    return Holdout(share, answer, charter.project)


def _percent(text: str) -> float:
    """A share in per cent; not a number if it is none."""
    try:
        return float(text.removesuffix("%")) / 100 if text.endswith("%") else math.nan
    except ValueError:
        return math.nan


def _part_of_scope(entry: Outside, answer: Answer, place: str) -> Rule:
    assert entry.where is not None
    return Rule(f"out of scope: {entry.what}", parse_condition_on_rows(entry.where, place), answer)


def _rule(text: str, place: str, task: str) -> Rule:
    condition, arrow, answer = text.rpartition("->")
    if not arrow:
        raise CharterMistake(
            place, f"{text!r} has no `->`", "Write CONDITION -> hand_over, or -> default(VALUE)."
        )
    when = parse_condition_on_rows(condition.strip(), place)
    return Rule(text.strip(), when, _answer(answer, place, task))


def _answer(text: str, place: str, task: str) -> Answer:
    match = _ANSWER.fullmatch(text)
    if match is None:
        raise CharterMistake(place, f"{text.strip()!r} is no answer", "Write hand_over, or default(VALUE).")
    if match[1] == "hand_over":
        return Answer(hand_over=True)
    try:
        value = yaml.safe_load(match[2])
    except yaml.YAMLError:
        value = None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, bool | int | float | str) or (task == "regression" and not is_number):
        wanted = "a number" if task == "regression" else "a class"
        raise CharterMistake(
            place, f"default({match[2]}) holds no value", f"Write {wanted} between the brackets."
        )
    return Answer(hand_over=False, value=value)


def _distance(text: str | None, place: str, task: str) -> Limit | None:
    """`ANSWER within DISTANCE`, of the score from the threshold."""
    if text is None:
        return None
    answer, limit = _limited(text, "within", f"{_NEAR:g}", place)
    remedy = f"Write such as hand_over within {_NEAR:g}."
    try:
        number = float(limit)
    except ValueError as error:
        raise CharterMistake(place, f"{limit!r} is no number", remedy) from error
    if not 0 < number < 1e6:
        raise CharterMistake(place, f"{number:g} is no sensible limit", remedy)
    return Limit(number, _answer(answer, place, task))


def _share(text: str | None, place: str, task: str) -> Limit | None:
    """`ANSWER beyond SHARE%`, of the rows that the model was judged on."""
    if text is None:
        return None
    usual = f"{100 * _STRANGE:g}%"
    answer, limit = _limited(text, "beyond", usual, place)
    share = _percent(limit)
    if not 0.5 <= share < 1:
        what = f"{limit!r} is no share from 50% to below 100%"
        raise CharterMistake(place, what, f"Write such as hand_over beyond {usual}.")
    return Limit(share, _answer(answer, place, task))


def _limited(text: str, word: str, usual: str, place: str) -> tuple[str, str]:
    """The answer and the limit behind a word; the usual one if the text names none."""
    match = _LIMITED.fullmatch(text)
    if match is None or match[2] not in (None, word):
        raise CharterMistake(place, f"cannot read {text!r}", f"Write such as hand_over {word} {usual}.")
    return match[1], match[3] or usual


def _fallback(charter: Charter, place: Callable[[Path], str]) -> tuple[bool, Answer | None]:
    previous, answer = False, None
    for number, text in enumerate(charter.serve.fallback):
        where = place(("serve", "fallback", number))
        if answer is not None:
            raise CharterMistake(
                where, f"{text!r} is never asked: the entry before always answers", "Remove it."
            )
        if text.strip() == "previous":
            previous = True
        else:
            answer = _answer(text, where, charter.task.type)
    return previous, answer
