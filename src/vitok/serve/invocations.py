"""MLflow's scoring protocol: `/invocations` in each of its JSON forms and in CSV, so that its clients need no change.

The decision is what MLflow's own server would answer for the same pipeline. Parameters go beyond it: `scores` answers
probabilities, `ids` names the predictions, to which outcomes are told later, and `actions` says who decided.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from vitok.errors import RequestMistake
from vitok.model.bundle import Manifest
from vitok.model.schema import RequestSchema, Rows, decode_json
from vitok.serve.http import MAX_ROWS, HttpProblem, Response, error_response, json_response, too_many_rows
from vitok.serve.predict import Answer

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    405: "BAD_REQUEST",
    408: "DEADLINE_EXCEEDED",
    413: "REQUEST_LIMIT_EXCEEDED",
    415: "BAD_REQUEST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_REMEDY = f"Send one of {', '.join(FORMS)}, and if need be params."
_MISSING = ("nan", "na", "null", "none")  # what pandas and others write for a missing cell
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


class Invocation(NamedTuple):
    """A scoring request that was read.

    Args:
        rows: Its rows, checked.
        params: What it asks for beyond the decisions.
    """

    rows: Rows
    params: "Params"


class Params(msgspec.Struct, forbid_unknown_fields=True):
    """The parameters that a scoring request may have.

    Args:
        scores: Whether to answer scores: for classifiers one probability for each class, in the classes' order.
        ids: Whether to name the predictions' ids too.
        actions: Whether to say who decided each row.
    """

    scores: bool = False
    ids: bool = False
    actions: bool = False


def read_invocation(schema: RequestSchema, body: bytes, content_type: bytes) -> Invocation:
    """Reads a scoring request.

    Raises:
        RequestMistake: it is in none of the forms, or a row is not what the model takes.
        HttpProblem: the content type is neither JSON nor CSV (415).
    """
    kind, _, options = content_type.decode("latin-1").lower().partition(";")
    charset = options.strip().partition("charset=")[2].strip('" ')
    if charset not in ("", "utf-8", "utf8"):
        raise HttpProblem(415, f"body: has charset {charset}. Send UTF-8")
    if kind.strip() == "text/csv":
        return Invocation(schema.check(_csv_rows(schema, body)), Params())
    if kind.strip() not in (
        "",
        "application/json",
        "application/x-www-form-urlencoded",
    ):  # the last is curl's
        raise HttpProblem(415, f"body: is {kind.strip()}. Send application/json or text/csv")
    content = decode_json(body)
    if not isinstance(content, dict):
        raise RequestMistake("body", "is no object", _REMEDY)
    forms = [name for name in content if name in FORMS]
    unknown = sorted(set(content) - {*FORMS, "params"})
    if len(forms) != 1 or unknown:
        found = f"has an unknown key {unknown[0]!r}" if unknown else f"has {len(forms)} of the forms of data"
        raise RequestMistake("body", found, _REMEDY)
    return Invocation(
        schema.check(_JSON_ROWS[forms[0]](schema.manifest, content[forms[0]])), _params(content.get("params"))
    )


def render_predictions(manifest: Manifest, params: Params, answer: Answer) -> Response:
    """The answer to a scoring request."""
    found: dict[str, Any] = {
        "predictions": [
            _probabilities(manifest, prediction.score) if params.scores else prediction.decision
            for prediction in answer.predictions
        ]
    }
    if params.ids:
        found["ids"] = [prediction.id for prediction in answer.predictions]
    if params.actions:
        found["actions"] = [prediction.action for prediction in answer.predictions]
    if not answer.recorded:
        found["recorded"] = False
    return json_response(found)


def explain_failure(error: Exception) -> Response:
    """An error as MLflow's clients read it."""
    response = error_response(error)
    message = msgspec.json.decode(response.body)["error"]
    code = CODES.get(response.status, "INTERNAL_ERROR")
    body = msgspec.json.encode({"error_code": code, "message": message})
    return response._replace(body=body)


def _probabilities(manifest: Manifest, score: float | list[float] | None) -> float | list[float] | None:
    if not isinstance(score, float) or manifest.positive is None:
        return score
    return [1 - score, score] if manifest.positive == 1 else [score, 1 - score]


def _params(given: Any) -> Params:
    try:
        return msgspec.convert({} if given is None else given, Params)
    except msgspec.ValidationError as error:
        remedy = "There are scores, ids and actions, each true or false."
        raise RequestMistake("params", f"are refused: {error}", remedy) from error


def _split_rows(manifest: Manifest, content: Any) -> list[dict[str, Any]]:
    columns, data = (
        (content.get("columns"), content.get("data")) if isinstance(content, dict) else (None, None)
    )
    if not isinstance(columns, list) or not isinstance(data, list):
        raise RequestMistake(
            "dataframe_split", "has no lists `columns` and `data`", "Send what to_dict(orient='split') gives."
        )
    _require_few(data)
    if not isinstance(content.get("index", []), list):
        raise RequestMistake("dataframe_split.index", "is no list", "Leave it out, or send a list.")
    if not all(isinstance(name, str) for name in columns) or len(set(columns)) < len(columns):
        raise RequestMistake("dataframe_split.columns", "are not different texts", "Name each column once.")
    return [_named(f"dataframe_split.data[{n}]", columns, row) for n, row in enumerate(data)]


def _record_rows(manifest: Manifest, content: Any) -> list[dict[str, Any]]:
    if not isinstance(content, list):
        raise RequestMistake("dataframe_records", "is no list", "Send a list of objects.")
    _require_few(content)
    return content


def _instance_rows(manifest: Manifest, content: Any) -> list[dict[str, Any]]:
    return _listed_rows(manifest, "instances", content)


def _input_rows(manifest: Manifest, content: Any) -> list[dict[str, Any]]:
    if not isinstance(content, dict):
        return _listed_rows(manifest, "inputs", content)
    for values in content.values():
        _require_few(values if isinstance(values, list) else [])
    columns = {name: _column(f"inputs.{name}", values) for name, values in content.items()}
    sizes = {len(values) for values in columns.values()}
    if len(sizes) > 1:
        shown = ", ".join(f"{name} {len(values)}" for name, values in columns.items())
        raise RequestMistake("inputs", f"have different numbers of rows: {shown}", "Make them the same.")
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _require_few(rows: list[Any]) -> None:
    if len(rows) > MAX_ROWS:
        raise too_many_rows(len(rows))


def _column(place: str, values: Any) -> list[Any]:
    if not isinstance(values, list):
        return [values]  # one row, as MLflow's signature with scalars takes it
    return [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]


def _listed_rows(manifest: Manifest, place: str, content: Any) -> list[dict[str, Any]]:
    if not isinstance(content, list):
        raise RequestMistake(place, "is no list", "Send one object, or one list of values, for each row.")
    _require_few(content)
    names = [field.name for field in manifest.inputs]
    return [
        row if isinstance(row, dict) else _named(f"{place}[{number}]", names, row)
        for number, row in enumerate(content)
    ]


def _named(place: str, names: Sequence[str], row: Any) -> dict[str, Any]:
    values = row if isinstance(row, list) else [row]
    if len(values) != len(names):
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise RequestMistake(
            place, f"has {len(values)} values for {len(names)} columns", f"Send one for each of {shown}."
        )
    return dict(zip(names, values, strict=True))


_JSON_ROWS: Mapping[str, Callable[[Manifest, Any], list[dict[str, Any]]]] = {
    "dataframe_split": _split_rows,
    "dataframe_records": _record_rows,
    "instances": _instance_rows,
    "inputs": _input_rows,
}


def _csv_rows(schema: RequestSchema, body: bytes) -> list[dict[str, Any]]:
    try:
        reader = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        lines = list(islice(reader, MAX_ROWS + 2))  # the header, and one row too many
    except UnicodeDecodeError as error:
        raise RequestMistake("body", f"is not UTF-8 (byte {error.start})", "Send it as UTF-8.") from error
    except csv.Error as error:
        raise RequestMistake(
            "body", f"is no CSV: {error}", "Quote cells that hold quotes or line ends."
        ) from error
    if len(lines) > MAX_ROWS + 1:
        raise HttpProblem(413, f"rows: more than {MAX_ROWS} lines. Send several requests")
    if not lines or len(set(lines[0])) < len(lines[0]):
        raise RequestMistake("line 1", "has no header of different names", "Name each column once.")
    kinds = {field.name: field.kind for field in schema.manifest.inputs}
    return [
        {
            name: _cell(f"line {number}, column {name!r}", kinds.get(name, "category"), text)
            for name, text in _named(f"line {number}", lines[0], line).items()
        }
        for number, line in enumerate(lines[1:], 2)
        if line
    ]


def _cell(place: str, kind: str, text: str) -> Any:
    if text.strip() == "" or (kind != "category" and text.strip().lower() in _MISSING):
        return None
    if kind == "number":
        try:
            return float(text)
        except ValueError as error:
            raise RequestMistake(
                place, f"is {text[:40]!r}", "Send a number, or nothing if it is missing."
            ) from error
    if kind == "boolean":
        if text.strip().lower() not in _BOOLEANS:
            raise RequestMistake(place, f"is {text[:40]!r}", "Send true or false.")
        return _BOOLEANS[text.strip().lower()]
    return text
