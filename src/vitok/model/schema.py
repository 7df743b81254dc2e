"""What a request must look like, from a bundle's manifest: typed decoding, and errors that say where.

Bodies are decoded by msgspec straight into typed rows. Only when that refuses a body is it looked at again,
row by row, to name the place, the value and the remedy.
"""

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import astuple

from vitok.errors import RequestMistake, UserMistake
from vitok.kernel.clock import format_time, parse_time
from vitok.model.bundle import Field, Manifest

FLOAT32_MAX = 3.4028234663852886e38
COMPLETE_LEVELS = 50  # a manifest lists at most this many levels: fewer means that the list is complete
_Number = Annotated[float, msgspec.Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX)]
_TYPES: dict[str, Any] = {"number": _Number, "boolean": bool, "category": str, "time": str}
_NAMES = {
    "number": "a number",
    "boolean": "true or false",
    "category": "a string",
    "time": "an ISO 8601 time",
}
_Id = Annotated[str, msgspec.Meta(min_length=1)] | int

Row = dict[str, Any]


class Rows:
    """Checked rows of a request. They stay the typed objects that were decoded: no dictionary is made on the way.

    Args:
        schema: What they were checked against.
        found: One struct for each row.
    """

    __slots__ = ("found", "schema")

    def __init__(self, schema: "RequestSchema", found: list[Any]) -> None:
        self.schema = schema
        self.found = found

    def __len__(self) -> int:
        return len(self.found)

    def __iter__(self) -> Iterator[Row]:
        names = self.schema.names
        return (dict(zip(names, astuple(row), strict=True)) for row in self.found)

    def part(self, places: Iterable[int]) -> "Rows":
        """Some of the rows, in the order of the places."""
        return Rows(self.schema, [self.found[place] for place in places])

    def values(self, name: str) -> list[Any]:
        """One column."""
        attribute = self.schema.attributes[name]
        return [getattr(row, attribute) for row in self.found]

    def matrix(self, names: Sequence[str], kind: type = np.float32) -> npt.NDArray[Any]:
        """Numbers of shape (n, k) as floats of a kind; what a row left out is NaN, true is 1."""
        read = self.schema.reader(tuple(names))
        return np.array(list(map(read, self.found)), dtype=kind).reshape(len(self.found), -1)

    def warnings(self) -> list[list[str]]:
        """What the caller should know about each row, although it was accepted."""
        found: list[list[str]] = [[] for _ in self.found]
        for name, levels in self.schema.levels.items():
            for place, value in enumerate(self.values(name)):
                if value is not None and value not in levels:
                    found[place].append(f"{name}: {value!r} was not in the training data")
        return found


class RequestSchema:
    """Reads and checks the rows of a request.

    Args:
        manifest: Manifest of the bundle that shall answer.
        also: Further names that a row may have, for example inputs of another version in production.
    """

    def __init__(self, manifest: Manifest, also: Iterable[str] = ()) -> None:
        self.manifest = manifest
        self.fields = {field.name: field for field in manifest.inputs}
        extra: dict[str, Any] = dict.fromkeys(also, Any)
        if manifest.time is not None:
            extra[manifest.time] = str | None
        if manifest.entity is not None:
            extra[manifest.entity] = str | int | float | bool | None
        if manifest.id is not None:
            extra[manifest.id] = _Id | None
        self._extra = {name: kind for name, kind in extra.items() if name not in self.fields}
        types = {name: _row_type(field) for name, field in self.fields.items()}
        types |= {name: (kind, None) for name, kind in self._extra.items()}
        self.names = tuple(types)
        self.attributes = {name: f"field_{place}" for place, name in enumerate(types)}
        self._row = _row_struct(types)
        self._readers: dict[tuple[str, ...], Callable[[Any], Any]] = {}
        self._decoder = msgspec.json.Decoder(_body_type(self._row))
        times = [name for name, field in self.fields.items() if field.kind == "time"]
        self._times = [*times, *([manifest.time] if manifest.time in self._extra else [])]
        self.levels = {f.name: frozenset(f.levels) for f in manifest.inputs if has_all_levels(f)}

    def reader(self, names: tuple[str, ...]) -> Callable[[Any], Any]:
        """A function that reads these columns of one row: a tuple, or the value if it is a single one."""
        if names not in self._readers:
            self._readers[names] = self._reader(names)
        return self._readers[names]

    def _reader(self, names: tuple[str, ...]) -> Callable[[Any], Any]:
        if names == self.names and len(names) > 1:
            return astuple  # in half the time of one attribute after the other
        return attrgetter(*(self.attributes[name] for name in names)) if names else _nothing

    def decode(self, body: bytes) -> Rows:
        """Reads `{"rows": [...]}`; in the result every row has every name, null where it was not given.

        Raises:
            RequestMistake: the body is no JSON, or a row is not what the model takes.
        """
        try:
            return self._finish(self._decoder.decode(body).rows)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._explained(decode_json(body), error) from error

    def check(self, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Checks rows that were decoded elsewhere.

        Raises:
            RequestMistake: a row is not what the model takes.
        """
        try:
            return self._finish(msgspec.convert(rows, list[self._row]))  # type: ignore[name-defined]
        except (msgspec.ValidationError, OverflowError) as error:
            raise self._explained({"rows": list(rows)}, error) from error

    def _finish(self, found: list[Any]) -> Rows:
        if not found:
            raise RequestMistake("rows", "is empty", "Send at least one row.")
        for name in self._times:
            attribute = self.attributes[name]
            for number, row in enumerate(found):
                value = getattr(row, attribute)
                if value is not None:
                    setattr(row, attribute, format_time(_time(f"rows[{number}].{name}", value)))
        return Rows(self, found)

    def _explained(self, body: Any, refusal: Exception) -> RequestMistake:
        """The first thing that is wrong with a body that was refused, with its place and the remedy."""
        if not isinstance(body, dict) or not isinstance(body.get("rows"), list):
            return RequestMistake("body", "has no list `rows`", 'Send {"rows": [{...}, ...]}.')
        unknown = sorted(set(body) - {"rows"})
        if unknown:
            return RequestMistake("body", f"has an unknown key {unknown[0]!r}", "Send only `rows`.")
        try:
            for number, row in enumerate(body["rows"]):
                self._inspect(f"rows[{number}]", row)
        except RequestMistake as mistake:
            return mistake
        return RequestMistake("body", f"is refused: {refusal}", "Send rows as /openapi.json describes them.")

    def _inspect(self, place: str, row: Any) -> None:
        if not isinstance(row, dict):
            raise RequestMistake(place, f"is {_show(row)}", "Send an object for each row.")
        self._refuse_unknown(place, row)
        for name, field in self.fields.items():
            _check_field(f"{place}.{name}", field, row)
        for name, kind in self._extra.items():
            _check_extra(f"{place}.{name}", kind, row.get(name))

    def _refuse_unknown(self, place: str, row: Mapping[str, Any]) -> None:
        for name in row:
            if name not in self.names:
                near = difflib.get_close_matches(str(name), self.names, n=1, cutoff=0.0)
                remedy = f"Did you mean {near[0]!r}? " if near else ""
                raise RequestMistake(
                    f"{place}.{name}",
                    f"is no input of the model (value {_show(row[name])})",
                    f"{remedy}Leave out what the model does not take.",
                )


def outcome_value(manifest: Manifest, place: str, value: Any) -> str | int | float | bool:
    """An outcome's value in the type of the model's target.

    Raises:
        RequestMistake: it is none of the classes, or no finite number.
    """
    if not manifest.classes:
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > FLOAT32_MAX:
            raise RequestMistake(place, f"is {_show(value)}", "Send a number.")
        return float(value)
    for known in manifest.classes:
        # 1 and 0 stand for true and false, and the reverse: exports of labels often say the one for the
        # other.
        if value == known and isinstance(value, str) == isinstance(known, str):
            return known
    raise RequestMistake(place, f"is {_show(value)}", f"Send one of {_show(manifest.classes)}.")


def decode_json(body: bytes) -> Any:
    """Decodes JSON of any shape.

    Raises:
        RequestMistake: it is no JSON, not UTF-8, or nested too deeply.
    """
    try:
        return msgspec.json.decode(body)
    except RecursionError as error:
        raise RequestMistake("body", "is nested too deeply", "Send rows of plain values.") from error
    except UnicodeDecodeError as error:
        raise RequestMistake(
            "body", f"is not UTF-8 (byte {error.start})", "Send the JSON as UTF-8."
        ) from error
    except msgspec.DecodeError as error:
        if any(token in body for token in (b"NaN", b"Infinity")):
            raise RequestMistake(
                "body", "holds NaN or Infinity, which JSON does not have", "Send null for a missing value."
            ) from error
        if "out of range" in str(error):
            raise RequestMistake(
                "body", "holds a number too large for float32", "Send null for a missing value."
            ) from error
        raise RequestMistake("body", f"is no JSON: {error}", "Send a JSON object.") from error


def _nothing(row: Any) -> tuple[()]:
    return ()


def _row_type(field: Field) -> tuple[Any, ...]:
    kind = _TYPES[field.kind]
    return (kind | None, None) if field.nullable else (kind,)


def _row_struct(types: Mapping[str, tuple[Any, ...]]) -> type[msgspec.Struct]:
    """A row as a struct; its attributes are numbered, since a column's name need not be an identifier."""
    fields = [(f"field_{place}", *kind) for place, kind in enumerate(types.values())]
    names = {f"field_{place}": name for place, name in enumerate(types)}
    return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True)


def _body_type(row: type[msgspec.Struct]) -> Any:
    return msgspec.defstruct("Body", [("rows", list[row])], forbid_unknown_fields=True)  # type: ignore[valid-type]


def has_all_levels(field: Field) -> bool:
    """Whether a category's list of levels is complete, so that another value is news."""
    return field.kind == "category" and 0 < len(field.levels) < COMPLETE_LEVELS


def _check_field(place: str, field: Field, row: Mapping[str, Any]) -> None:
    if row.get(field.name) is None:
        if field.nullable:
            return
        what = "is null" if field.name in row else "is missing"
        raise RequestMistake(
            place, f"{what}, and training data always had it", f"Send {_NAMES[field.kind]}{_example(field)}."
        )
    value = row[field.name]
    if field.kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= FLOAT32_MAX:
            raise RequestMistake(
                place,
                f"is {_show(value)}, too large for float32 or no number",
                "Send null for a missing value.",
            )
        return
    expected: Any = {"number": (), "boolean": bool, "category": str, "time": str}[field.kind]
    if not isinstance(value, expected):
        raise RequestMistake(place, f"is {_show(value)}", f"Send {_NAMES[field.kind]}{_example(field)}.")
    if field.kind == "time":
        _time(place, value)


def _check_extra(place: str, kind: Any, value: Any) -> None:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise RequestMistake(place, f"is {_show(value)}", f"{error}.") from error


def _time(place: str, value: str) -> Any:
    try:
        return parse_time(value, place)
    except UserMistake as error:
        raise RequestMistake(error.place, error.what, error.remedy) from error


def _example(field: Field) -> str:
    return "" if field.example is None else f", for example {_show(field.example)}"


def _show(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
