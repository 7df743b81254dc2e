"""From the text of `vitok.yaml` to a Charter, with the line and column of each mistake."""

from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from vitok.charter.conditions import Condition, parse_condition
from vitok.charter.decisions import Decisions, parse_decisions
from vitok.charter.dialect import Loader
from vitok.charter.model import Charter
from vitok.charter.rules import Rules, parse_rules
from vitok.charter.section import Path, key_of
from vitok.charter.segments import Segments, parse_segments
from vitok.charter.watchers import Watcher, parse_watcher
from vitok.errors import CharterMistake, did_you_mean, shortened
from vitok.kernel.digests import digest_json

_MOST_NODES = 100_000  # aliases of aliases could otherwise stand for more than any memory holds
# What to write, for mistakes that the validator words for programmers.
_WORDS = {
    "string_type": "Write a text, in quotes where it looks like a number or a list",
    "list_type": "Write a list, such as [one, two]",
    "dict_type": "Write keys and values under it; docs/charter.md shows an example",
    "model_type": "Write keys and values under it; docs/charter.md shows an example",
    "bool_type": "Write true or false",
    "int_type": "Write a whole number",
    "float_type": "Write a number",
    "finite_number": "Write a finite number",
    "string_too_short": "Write at least one character, or leave the key out",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A charter with its parsed rules, its text's positions and its digest.

    Args:
        conditions: Of `plan.milestones`, in their order.
        watchers: Of `risks`, in their order; None where nothing watches.
        segments: Of `release`.
    """

    charter: Charter
    rules: Rules
    decisions: Decisions
    conditions: tuple[Condition, ...]
    watchers: tuple[Watcher | None, ...]
    segments: Segments
    positions: dict[Path, tuple[int, int]]
    name: str
    digest: str

    def place(self, path: Path) -> str:
        """Where a key stands, as `vitok.yaml:12:3 accept[0]`."""
        return _place(self.name, self.positions, path)


def dotted(path: Path) -> str:
    """The text form of a key's path.

    >>> dotted(("accept", 0))
    'accept[0]'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _place(name: str, positions: dict[Path, tuple[int, int]], path: Path) -> str:
    known = path
    while known and known not in positions:
        known = known[:-1]
    line, column = positions.get(known, (1, 1))
    return f"{name}:{line}:{column} {dotted(known)}".strip()


def _positions(node: yaml.Node, path: Path, found: dict[Path, tuple[int, int]], name: str) -> None:
    found.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if len(found) > _MOST_NODES:
        raise CharterMistake(
            f"{name}:1:1", f"it has more than {_MOST_NODES:,} entries", "Write fewer aliases."
        )
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            place = f"{name}:{key.start_mark.line + 1}:{key.start_mark.column + 1}"
            if not isinstance(key, yaml.ScalarNode):
                raise CharterMistake(place, "a key is no plain text", "Write keys as words.")
            if str(key.value) in seen:
                raise CharterMistake(place, f"key {key.value!r} stands twice", "Keep one of the two.")
            seen.add(str(key.value))
            found[(*path, key.value)] = (key.start_mark.line + 1, key.start_mark.column + 1)
            _positions(value, (*path, key.value), found, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _positions(value, (*path, index), found, name)


def _model_at(path: Path) -> type[BaseModel] | None:
    model: Any = Charter
    for part in path:
        if isinstance(part, int):
            continue
        fields = {key_of(model, name): field for name, field in getattr(model, "model_fields", {}).items()}
        field = fields.get(str(part))
        if field is None:
            return None
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        candidates += [inner for c in candidates for inner in getattr(c, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
    return model if isinstance(model, type) else None


def _mistake(error: ValidationError, positions: dict[Path, tuple[int, int]], name: str) -> CharterMistake:
    # A misspelt key is both unknown and missing: the unknown one says more.
    found = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    first = found[0]
    alternatives = [other for other in found if other["loc"][:2] == first["loc"][:2]]
    first = max(alternatives, key=lambda other: (len(other["loc"]), other["type"] == "value_error"))
    path = _keys(first["loc"], positions)
    place, kind, value = _place(name, positions, path), first["type"], first.get("input")
    if kind == "extra_forbidden" and path:
        model = _model_at(path[:-1])
        known = sorted(key_of(model, name) for name in model.model_fields) if model else []
        remedy = did_you_mean(str(path[-1]), known).strip() or f"Known keys here: {', '.join(known)}."
        return CharterMistake(place, f"unknown key {path[-1]!r}", remedy)
    if kind == "missing":
        return CharterMistake(
            place, f"{dotted(path)} is missing", "Add it; docs/charter.md shows an example for each key."
        )
    told = [_told(each) for each in alternatives if _keys(each["loc"], positions) == path]
    if isinstance(value, list):
        told.reverse()  # of a figure or a range, the range was meant
        told = told[:1]
    remedy = ". Or: ".join(dict.fromkeys(told))
    return CharterMistake(place, f"{shortened(value)} does not fit", f"{remedy[0].upper()}{remedy[1:]}.")


def _keys(location: tuple[str | int, ...], positions: dict[Path, tuple[int, int]]) -> Path:
    """The keys of a location as the file has them: the validator adds names of the alternatives that it tried."""
    path: Path = ()
    for number, part in enumerate(location):
        is_missing = number == len(location) - 1 and isinstance(part, str) and part.isidentifier()
        if (*path, part) in positions or is_missing:
            path = (*path, part)
    return path


def _told(error: Any) -> str:
    message: str = error["msg"].removeprefix("Value error, ")
    return _WORDS.get(error["type"], message)


def load_charter(text: str, name: str = "vitok.yaml") -> Document:
    """Reads a charter.

    Args:
        text: The YAML text.
        name: The file's name, for messages.

    Raises:
        CharterMistake: it is no YAML, has an unknown, missing or ill-typed key, or a rule
            cannot be read or makes no sense.
    """
    positions: dict[Path, tuple[int, int]] = {}
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise CharterMistake(f"{name}:1:1", "the charter is no mapping", "Start it with `project: NAME`.")
        _positions(node, (), positions, name)
        content = loader.construct_document(node)
    except (
        yaml.YAMLError,
        RecursionError,
        ValueError,
        KeyError,
    ) as error:  # the last two of tags such as !!int x
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        told = getattr(error, "problem", None)
        is_tag = isinstance(error, ValueError | KeyError)
        what = told or ("a value does not fit its tag" if is_tag else "it cannot be read")
        raise CharterMistake(f"{name}:{line}:{column}", f"no valid YAML: {what}", "Mend the line.") from error
    try:
        charter = Charter.model_validate(content)
    except ValidationError as error:
        raise _mistake(error, positions, name) from None

    def place(path: Path) -> str:
        return _place(name, positions, path)

    rules, decisions = parse_rules(charter, place), parse_decisions(charter, place)
    conditions = tuple(
        parse_condition(each.done_when, place(("plan", "milestones", index, "done_when")), charter.task.type)
        for index, each in enumerate(charter.plan.milestones)
    )
    watchers = tuple(
        None
        if risk.watched_by is None
        else parse_watcher(risk.watched_by, place(("risks", index, "watched_by")), charter.accept)
        for index, risk in enumerate(charter.risks)
    )
    digest = digest_json(charter.as_json())
    segments = parse_segments(charter, place)
    return Document(charter, rules, decisions, conditions, watchers, segments, positions, name, digest)
