"""Tables that are read in pieces, however large: files, folders, and the types that a model asks of them.

Each table is read once before anything is predicted: the look counts its rows, finds cells that do not read as their
type, and refuses what cannot be predicted, with file and row. Only then its rows are given, piece by piece.
"""

import glob
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars.exceptions import PolarsError

from vitok.data import expectations as expecting
from vitok.data.sources import (
    MISSING,
    PARQUET_ENDINGS,
    PARQUET_MAGIC,
    TEXT_ENDINGS,
    in_utc,
    read_table,
    require_text,
    separator_of,
    unreadable,
)
from vitok.errors import DataMistake, NotFound

ENDINGS = (*PARQUET_ENDINGS, *TEXT_ENDINGS, ".jsonl", ".ndjson", ".json")
_HEAD_ROWS = 10_000
_LOOK_ROWS = 50_000
_BLOCK = 1 << 20
_FLOAT32_MAX = 3.4028234663852886e38
_THOUSANDS = r"^\s*-?[1-9]\d{0,2}(,\d{3})+(\.\d+)?\s*$"


class Wanted(NamedTuple):
    """What is asked of a column.

    Args:
        kind: Its type; None for any.
        is_required: Whether it must be there.
        is_nullable: Whether cells may be missing.
    """

    kind: expecting.Kind | None = None
    is_required: bool = False
    is_nullable: bool = True


@dataclass(frozen=True)
class Table:
    """A table that was looked at and can be read in pieces.

    Args:
        place: Its name, for messages.
        lazy: Its wanted columns.
        rows: How many rows it has.
        coerced: The columns that must be brought into their type.
        commas: What a comma means in a column of numbers that is text: nothing, or a decimal point.
        unread: How many cells of each column do not read as their type.
    """

    place: str
    lazy: pl.LazyFrame
    rows: int
    coerced: expecting.Expectations
    commas: Mapping[str, str]
    unread: Mapping[str, int]

    def chunks(self, start: int, size: int) -> Iterator[pl.DataFrame]:
        """The rows from `start` on in pieces of about `size`, in the types that were asked for."""
        lazy = self.lazy.slice(start) if start else self.lazy
        try:
            for frame in lazy.collect_batches(chunk_size=size, maintain_order=True):
                yield _typed(frame, self.coerced, self.commas)[0]
        except (PolarsError, OSError) as error:
            raise unreadable(self.place, error) from error


def expand(text: str) -> list[Path]:
    """The files that a path, a folder or a glob pattern means, in the order of their names.

    Raises:
        NotFound: there are none.
    """
    path = Path(text)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [each for each in path.rglob("*") if not _is_hidden(each.relative_to(path))]
    else:
        found = [Path(each) for each in glob.glob(text, recursive=True)] if glob.has_magic(text) else []
    files = sorted(each for each in found if each.is_file() and each.suffix.lower() in ENDINGS)
    if not files:
        what = "holds no table" if path.is_dir() else "no file fits" if found or glob.has_magic(text) else ""
        remedy = f"Give a file that ends in {', '.join(ENDINGS)}, a folder of such files, or a pattern."
        raise NotFound(text, what or "there is no such file", remedy)
    return files


def open_file(path: Path, wanted: Mapping[str, Wanted], spare: Path) -> Table:
    """Looks at a file.

    Args:
        spare: Where a UTF-8 copy may be put if the file is in Windows-1252.

    Raises:
        DataMistake: it cannot be read, or does not hold what is wanted.
    """
    try:
        if not _has_plain_header(path):
            raise pl.exceptions.ComputeError("the header is no UTF-8")
        return look(str(path), scan_file(path), wanted)
    except PolarsError as error:
        if path.suffix.lower() in PARQUET_ENDINGS:
            raise unreadable(str(path), error) from error
    # The first rows did not tell the types, or the text is no UTF-8: now the whole file is read for them.
    try:
        source = path if _is_utf8(path) else _to_utf8(path, spare.with_suffix(path.suffix))
        return look(str(path), scan_file(source, is_thorough=True), wanted)
    except PolarsError as error:
        raise unreadable(str(path), error) from error


def scan_file(path: Path, *, is_thorough: bool = False) -> pl.LazyFrame:
    """A file as a lazy frame; as `read_table`, but in pieces.

    Args:
        is_thorough: Whether all rows are read to find the types, or only the first.

    Raises:
        NotFound: no such file.
        DataMistake: it is not what its ending says.
    """
    ending, rows = path.suffix.lower(), None if is_thorough else _HEAD_ROWS
    if not path.is_file() or ending not in ENDINGS or ending == ".json" or path.stat().st_size == 0:
        return read_table(path).lazy()  # which says what is wrong; one JSON array can only be read as a whole
    with path.open("rb") as file:
        head = file.read(_BLOCK)
    if ending in PARQUET_ENDINGS:
        lazy = pl.scan_parquet(path, glob=False) if head[:4] == PARQUET_MAGIC else read_table(path).lazy()
    elif ending in (".jsonl", ".ndjson"):
        lazy = pl.scan_ndjson(path, infer_schema_length=rows)
    else:
        require_text(path, head)
        lazy = pl.scan_csv(
            path,
            separator=separator_of(path, head.decode("utf-8-sig", errors="replace")),
            null_values=MISSING,
            infer_schema_length=rows,
            try_parse_dates=True,
            glob=False,
        )
    names = lazy.collect_schema().names()
    return lazy.rename({"": f"column_{names.index('')}"}) if "" in names else lazy


def look(place: str, lazy: pl.LazyFrame, wanted: Mapping[str, Wanted]) -> Table:
    """Reads a table once and checks that it can be predicted.

    Raises:
        DataMistake: a column or a cell is missing, or a column has another type.
        PolarsError: the rows are not of the types that the first ones have.
    """
    schema = lazy.collect_schema()
    missing = [name for name, each in wanted.items() if each.is_required and name not in schema]
    if missing:
        what = f"lacks {len(missing)} input(s) of the model: {', '.join(missing)}"
        raise DataMistake(place, what, "Add the column(s).")
    lazy = lazy.select(name for name in wanted if name in schema)
    kinds = {name: each.kind for name, each in wanted.items() if name in schema and each.kind is not None}
    counted = lazy.select(
        pl.len().alias("rows"), *(_bad(name, schema[name]).alias(f"bad:{name}") for name in kinds)
    )
    counts = counted.collect(engine="streaming").row(0, named=True)
    rows, bad = int(counts["rows"]), {name: int(counts[f"bad:{name}"]) for name in kinds}
    clean = {name for name, kind in kinds.items() if _is_native(kind, schema[name]) and not bad[name]}
    coerced = expecting.Expectations(
        columns={
            name: expecting.Column(type=kind)
            for name, kind in kinds.items()
            if name not in clean or (kind == "text" and schema[name] != pl.Boolean)
        }
    )
    commas = _commas(lazy, [name for name in coerced.columns if kinds[name] == "number"])
    strict = {name for name in kinds if not wanted[name].is_nullable and name not in clean}
    loose = {name for name in kinds if name not in clean and kinds[name] != "text"}
    unread = _read_through(place, lazy, coerced, commas, strict, loose | strict)
    return Table(place, lazy, rows, coerced, commas, unread)


def _read_through(
    place: str,
    lazy: pl.LazyFrame,
    coerced: expecting.Expectations,
    commas: Mapping[str, str],
    strict: set[str],
    names: set[str],
) -> dict[str, int]:
    """Reads doubtful columns: how many cells of each are lost.

    Raises:
        DataMistake: a cell is missing in a column that may have none, or a whole column has another type.
    """
    unread, gaps, present = dict[str, int](), dict[str, list[int]](), dict.fromkeys(names, 0)
    some: dict[str, str] = {}
    start = 0
    for raw in lazy.select(sorted(names)).collect_batches(chunk_size=_LOOK_ROWS) if names else ():
        only = expecting.Expectations(columns={n: c for n, c in coerced.columns.items() if n in names})
        frame, lost = _typed(raw, only, commas)
        for name in names:
            unread[name] = unread.get(name, 0) + lost.get(name, 0)
            present[name] += frame.height - frame[name].null_count()
            if name in lost and name not in some:
                place_of = (frame[name].is_null() & raw[name].is_not_null()).arg_true()[0]
                some[name] = f"{raw[name][place_of]!r} in row {start + place_of}"
            if name in strict:
                gaps.setdefault(name, []).extend(start + row for row in frame[name].is_null().arg_true())
        start += frame.height
    for name in sorted(names):
        kind = coerced.columns[name].type
        if start and unread[name] and not present[name]:
            raise DataMistake(
                f"{place} column {name}", f"holds no {kind}: {some[name]}", f"The model takes a {kind}."
            )
        if found := gaps.get(name):
            what = f"{len(found)} value(s) are missing, first rows {found[:3]}"
            what += f" ({unread[name]} do not read as {kind}: {some[name]})" if unread[name] else ""
            raise DataMistake(f"{place} column {name}", what, "Training rows always had it: fill it.")
    return {name: count for name, count in unread.items() if count}


def _typed(
    frame: pl.DataFrame, coerced: expecting.Expectations, commas: Mapping[str, str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    frame = in_utc(frame).with_columns(
        pl.col(name).str.replace_all(",", mark, literal=True)
        for name, mark in commas.items()
        if name in frame.columns
    )
    return expecting.coerce(frame, coerced) if coerced.columns else (frame, {})


def _commas(lazy: pl.LazyFrame, names: list[str]) -> dict[str, str]:
    """For each column of numbers that is text: whether commas part thousands in every cell that has one."""
    schema = lazy.collect_schema()
    texts = [name for name in names if schema[name] == pl.String]
    if not texts:
        return {}
    others = [
        pl.col(name)
        .filter(pl.col(name).str.contains(",", literal=True))
        .str.contains(_THOUSANDS)
        .not_()
        .any()
        for name in texts
    ]
    found = lazy.select(others).collect(engine="streaming").row(0, named=True)
    return {name: "." if found[name] else "" for name in texts}


def _bad(name: str, kind: pl.DataType) -> pl.Expr:
    """How many cells are missing, or numbers that no model takes."""
    column = pl.col(name)
    if kind.is_float():
        return (~(column.abs() <= _FLOAT32_MAX).fill_null(False)).sum()
    return column.null_count()


def _is_native(kind: expecting.Kind, found: pl.DataType) -> bool:
    if kind == "number":
        return found.is_integer() or found in (pl.Float32, pl.Float64)
    if kind == "boolean":
        return found == pl.Boolean
    return found.is_temporal() if kind == "time" else not found.is_nested()


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def _has_plain_header(path: Path) -> bool:
    """Whether the names of a text file's columns can be read as UTF-8; in other encodings they would be others."""
    if path.suffix.lower() not in TEXT_ENDINGS or not path.is_file():
        return True
    with path.open("rb") as file:
        try:
            file.readline(_BLOCK).decode()
        except UnicodeDecodeError:
            return False
    return True


def _is_utf8(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            while file.read(_BLOCK):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _to_utf8(path: Path, copy: Path) -> Path:
    with (
        path.open(encoding="cp1252", errors="replace", newline="") as source,
        copy.open("w", encoding="utf-8", newline="") as target,
    ):
        while block := source.read(_BLOCK):
            target.write(block)
    return copy
