"""Expectations: what every snapshot must look like; inferred once, then frozen in the project and enforced."""

import warnings
from typing import Any, Literal

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from vitok.errors import DataMistake

Kind = Literal["number", "text", "boolean", "time"]

_WORDS = {
    "field_uniqueness": "repeat a value that must be unique",
    "greater_than_or_equal_to": "lie below the range",
    "less_than_or_equal_to": "lie above the range",
    "isin": "are not among the allowed values",
}
_FLOAT32_MAX = 3.4028234663852886e38  # what models take; anything beyond is infinite to them
_LONGEST_KEY = 120  # YAML asks for "? " before keys that are longer than 128 characters
_THOUSANDS = r"^-?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$"
_PRESENT_SHARE = 0.95  # of a text column that must read as numbers for it to count as a dirty number column


class Column(BaseModel):
    """What one column must hold.

    `low` and `high` bound numbers; `values` lists the allowed texts; `max_missing` is a share; cells that do not
    read as the type count as missing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Kind
    max_missing: float = 1.0
    low: float | None = None
    high: float | None = None
    values: list[str] | None = None
    unique: bool = False


class Expectations(BaseModel):
    """What a whole set of rows must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_rows: int = 2
    columns: dict[str, Column]


def kind_of(series: pl.Series) -> Kind:
    """The kind of a column; a text column of which nearly all present values are numbers is a number column."""
    if series.dtype == pl.Boolean:
        return "boolean"
    if series.dtype.is_numeric():
        return "number"
    if series.dtype.is_temporal():
        return "time"
    if series.dtype == pl.String:
        present = series.drop_nulls()
        if len(present) and _as_numbers(present).is_not_null().mean() >= _PRESENT_SHARE:  # type: ignore[operator]
            return "number"
    return "text"


def _as_numbers(series: pl.Series) -> pl.Series:
    """Texts as numbers; commas separate thousands if every one could, else they are decimal points."""
    text = series.str.strip_chars().str.replace_all(r"[\s_\u00a0]", "")
    commas = text.filter(text.str.contains(",", literal=True))
    thousands = len(commas) > 0 and bool(commas.str.contains(_THOUSANDS).all())
    plain = text.cast(pl.Float64, strict=False)
    return plain.fill_null(
        text.str.replace_all(",", "" if thousands else ".", literal=True).cast(pl.Float64, strict=False)
    )


def infer(frame: pl.DataFrame, unique: list[str]) -> Expectations:
    """Drafts expectations from a first look at the data.

    Ranges are widened by one whole range on each side and missing shares by a tenth, so that an ordinary new
    batch passes while a change of unit or a dead source does not. Texts are left open: a new category is drift to
    be watched, not a broken batch.

    Args:
        frame: Rows as the query gives them.
        unique: Columns that identify a row.
    """
    columns: dict[str, Column] = {}
    for series in frame:
        kind = kind_of(series)
        low = high = None
        missing = series.null_count() / max(frame.height, 1)
        if kind == "number":
            numbers = (
                _as_numbers(series) if series.dtype == pl.String else series.cast(pl.Float64)
            ).fill_nan(None)
            finite = numbers.filter(numbers.abs() <= _FLOAT32_MAX)
            missing = 1 - len(finite) / max(frame.height, 1)
            if len(finite) and series.name not in unique:  # ids grow: a range would stop a later turn
                least, most = float(finite.min()), float(finite.max())  # type: ignore[arg-type]
                width = (most - least) or abs(most) or 1.0
                low, high = round(least - width, 6), round(most + width, 6)
        columns[series.name] = Column(
            type=kind,
            max_missing=round(min(1.0, missing * 2 + 0.1), 3),
            low=low,
            high=high,
            unique=series.name in unique,
        )
    return Expectations(columns=columns)


def to_yaml(expectations: Expectations) -> str:
    """The file's text, one line for each column."""
    lines = [
        "# What every snapshot must hold; a turn stops at the first set that does not, and names the rows.",
        "# Inferred from the first data: tighten or widen by hand. type: number, text, boolean, time.",
        f"min_rows: {expectations.min_rows}",
        "columns:",
    ]
    for name, column in expectations.columns.items():
        content = {k: v for k, v in column.model_dump().items() if v is not None and v is not False}
        text = yaml.safe_dump(
            content, default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True
        )
        lines.append(f"  {_key(name)}: {text.strip()}")
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    """A column's name on one line, quoted where it must be."""
    plain = yaml.safe_dump([name], default_flow_style=True, allow_unicode=True, width=10_000).strip()[1:-1]
    if len(plain.splitlines()) == 1 and len(plain) < _LONGEST_KEY:
        return plain
    return "? " + yaml.safe_dump(name, default_style='"', allow_unicode=True, width=10_000).strip() + "\n  "


def from_yaml(text: str, name: str) -> Expectations:
    """Reads the file back.

    Raises:
        DataMistake: the text is no YAML or has an unknown key.
    """
    try:
        return Expectations.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise DataMistake(name, f"is no valid YAML: {str(error).splitlines()[0]}", "Mend it.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataMistake(
            name, f"{where}: {first['msg']}", "Known keys: type, max_missing, low, high, values, unique."
        ) from error


def coerce(frame: pl.DataFrame, expectations: Expectations) -> tuple[pl.DataFrame, dict[str, int]]:
    """Gives each column its expected type; cells that do not read as it become missing.

    Returns:
        The frame, and how many cells of each column were lost.
    """
    changed: dict[str, int] = {}
    columns: list[pl.Series] = []
    for series in frame:
        expected = expectations.columns.get(series.name)
        new = series if expected is None else _coerce_column(series, expected.type)
        lost = new.null_count() - series.null_count()
        if lost:
            changed[series.name] = lost
        columns.append(new)
    return pl.DataFrame(columns), changed


def _coerce_column(series: pl.Series, kind: Kind) -> pl.Series:
    if series.dtype.is_nested():
        return pl.Series(series.name, [None] * len(series), dtype=pl.String)
    if kind == "number":
        numbers = _as_numbers(series) if series.dtype == pl.String else series
        if numbers.dtype.is_float():
            numbers = numbers.cast(pl.Float64)
            return numbers.set(~(numbers.abs() <= _FLOAT32_MAX) | numbers.is_nan(), None)
        return numbers.cast(pl.Float64, strict=False) if numbers.dtype != pl.Int64 else numbers
    if kind == "boolean" and series.dtype == pl.String:
        return series.str.to_lowercase().replace_strict(
            {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False},
            default=None,
            return_dtype=pl.Boolean,
        )
    if kind == "boolean":
        return series.cast(pl.Boolean, strict=False)
    if kind == "time":
        return as_times(series)
    return series.cast(pl.String, strict=False).str.strip_chars()


def as_times(series: pl.Series) -> pl.Series:
    if series.dtype.is_temporal():
        return series
    text = series.cast(pl.String)
    for form in (None, "%d.%m.%Y"):
        try:
            parsed = text.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
        except pl.exceptions.PolarsError:
            continue
        if parsed.null_count() < len(parsed):
            return parsed
    return pl.Series(series.name, [None] * len(series), dtype=pl.Datetime("us", "UTC"))


def enforce(frame: pl.DataFrame, expectations: Expectations, name: str) -> None:
    """Checks rows against expectations.

    Args:
        frame: Rows after `coerce`.
        name: The expectations' file, for messages.

    Raises:
        DataMistake: a column is missing, too few rows, or cells fail; the message names the first rows.
    """
    missing = [column for column in expectations.columns if column not in frame.columns]
    if missing:
        raise DataMistake(
            "data",
            f"expected columns are gone: {', '.join(missing)}",
            f"Mend the source, or remove them from {name}.",
        )
    if frame.height < expectations.min_rows:
        raise DataMistake(
            "data",
            f"{frame.height} rows, at least {expectations.min_rows} are expected",
            f"Give more data, or lower min_rows in {name}.",
        )
    problems = _failures(frame, expectations)
    if problems:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise DataMistake(
            "data",
            f"{len(problems)} expectation(s) fail: {shown}",
            f"Mend the source, or the expectation in {name}.",
        )


def _failures(frame: pl.DataFrame, expectations: Expectations) -> list[str]:
    problems = []
    for column, expected in expectations.columns.items():
        share = frame[column].null_count() / frame.height
        if share > expected.max_missing:
            rows = frame[column].is_null().arg_true().head(3).to_list()
            problems.append(
                f"{column}: {share:.1%} missing, at most {expected.max_missing:.1%} allowed (rows {rows})"
            )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the engine warns of its own deprecations
        import pandera.polars as pa

        schema = pa.DataFrameSchema(
            {name: _pandera_column(pa, column) for name, column in expectations.columns.items()}
        )
        try:
            schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as error:
            problems += _describe(error.failure_cases, frame, expectations)
    return problems


def _pandera_column(pa: Any, column: Column) -> Any:
    checks = []
    if column.low is not None:
        checks.append(pa.Check.ge(column.low))
    if column.high is not None:
        checks.append(pa.Check.le(column.high))
    if column.values is not None:
        checks.append(pa.Check.isin(column.values))
    return pa.Column(nullable=True, checks=checks, unique=column.unique)


def _describe(cases: pl.DataFrame, frame: pl.DataFrame, expectations: Expectations) -> list[str]:
    problems = []
    for column, group in ((name, cases.filter(pl.col("column") == name)) for name in expectations.columns):
        for check in group["check"].unique(maintain_order=True):
            hits = group.filter(pl.col("check") == check)
            rows = hits["index"].drop_nulls().head(3).to_list() or _repeated(frame, column)
            values = frame[column].gather(rows).to_list() if rows else hits["failure_case"].head(3).to_list()
            words = _WORDS.get(check.split("(")[0], "breaks") + (f" ({check})" if "(" in check else "")
            problems.append(f"{column}: {hits.height} row(s) {words}, first rows {rows} with values {values}")
    return problems


def _repeated(frame: pl.DataFrame, column: str) -> list[int]:
    return frame[column].is_duplicated().arg_true().head(3).to_list()
