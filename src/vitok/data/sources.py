"""Sources: tables in files, and the SQL that makes one set of rows of them."""

import csv
import io
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from vitok.errors import DataMistake, NotFound

PARQUET_ENDINGS, TEXT_ENDINGS = (".parquet", ".pq"), (".csv", ".tsv", ".txt")
MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?", "-", "#N/A"]
PARQUET_MAGIC = b"PAR1"
_NO_TEXT = frozenset(range(32)) - frozenset(b"\t\n\f\r")  # control characters that no table in text has


def read_table(path: Path) -> pl.DataFrame:
    """Reads a CSV, TSV, Parquet or JSON-lines file.

    CSV is read as UTF-8, else as Windows-1252; usual marks of missing values become null; a column of which every
    present value is a number, a date or a truth value gets that type.

    Raises:
        NotFound: no such file.
        DataMistake: it is empty, or not what its ending says.
    """
    if not path.is_file():
        raise NotFound(
            str(path), "there is no such file", "Give the path of a CSV, Parquet or JSON-lines file."
        )
    ending = path.suffix.lower()
    try:
        content = path.read_bytes()
        if not content.strip():
            raise empty(path)
        if ending in PARQUET_ENDINGS:
            if content[:4] != PARQUET_MAGIC:
                raise DataMistake(
                    str(path),
                    "is no Parquet file, whatever its ending says",
                    "Give it its true ending, or export it anew.",
                )
            return in_utc(pl.read_parquet(content))
        if ending in TEXT_ENDINGS:
            return _read_csv(path, content)
        if ending in (".json", ".jsonl", ".ndjson"):
            return in_utc(pl.read_ndjson(content) if ending != ".json" else pl.read_json(content))
    except (PolarsError, UnicodeError, OSError) as error:
        raise unreadable(str(path), error) from error
    raise DataMistake(
        str(path), f"has the unknown ending {ending!r}", "Use .csv, .tsv, .parquet, .json or .jsonl."
    )


def unreadable(place: str, error: Exception) -> DataMistake:
    """What is said of a table that a reader refuses."""
    what = f"cannot be read: {first_line(error)}"
    return DataMistake(place, what, "Check that the file is what its ending says.")


def first_line(error: Exception) -> str:
    """What an error says, at most 200 characters of its first line; else its name."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _read_csv(path: Path, content: bytes) -> pl.DataFrame:
    require_text(path, content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    frame = pl.read_csv(
        text.encode(),
        separator=separator_of(path, text),
        null_values=MISSING,
        infer_schema_length=None,
        try_parse_dates=True,
        truncate_ragged_lines=False,
    )
    return in_utc(frame)


def require_text(path: Path, content: bytes) -> None:
    """Refuses what is no table in text.

    Args:
        content: The file, or how it begins.
    """
    if content[:4] == PARQUET_MAGIC or b"\x00" in content or not _NO_TEXT.isdisjoint(content[:1000]):
        what = "is no text file, whatever its ending says"
        raise DataMistake(str(path), what, "Give it its true ending, or export it anew.")
    if not content.strip():
        raise empty(path)


def empty(path: Path) -> DataMistake:
    """What is said of a file without content."""
    return DataMistake(str(path), "the file is empty", "Give a file with a header and rows.")


def separator_of(path: Path, text: str) -> str:
    """What parts the cells of a table in text: a tab by its ending, else a comma or a semicolon by its first line.

    Raises:
        DataMistake: that line does not name each column once; the reader would rename repeated ones in silence.
    """
    line = text.split("\n", 1)[0]
    separator = "\t" if path.suffix.lower() == ".tsv" else ";" if line.count(";") > line.count(",") else ","
    names = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or not names:
        what = f"the header names column {repeated[0]!r} more than once" if repeated else "has no header"
        raise DataMistake(str(path), what, "Start the file with a line of distinct column names.")
    return separator


def in_utc(frame: pl.DataFrame) -> pl.DataFrame:
    """Every date and instant as microseconds in UTC; instants without a zone are taken as UTC.

    Lengths of time become seconds, times of day seconds since midnight; a column without a name (as exports of
    data frames have) gets one.
    """
    if "" in frame.columns:
        frame = frame.rename({"": f"column_{frame.columns.index('')}"})
    expressions = []
    for name, kind in frame.schema.items():
        if isinstance(kind, pl.Datetime):
            column = pl.col(name).dt.cast_time_unit("us")
            expressions.append(
                column.dt.convert_time_zone("UTC") if kind.time_zone else column.dt.replace_time_zone("UTC")
            )
        elif kind == pl.Date:
            expressions.append(pl.col(name).cast(pl.Datetime("us", "UTC")))
        elif kind in (pl.Categorical, pl.Enum):
            expressions.append(pl.col(name).cast(pl.String))
        elif isinstance(kind, pl.Decimal):
            expressions.append(pl.col(name).cast(pl.Float64))
        elif kind == pl.Duration:
            expressions.append(pl.col(name).dt.total_microseconds() / 1e6)
        elif kind == pl.Time:
            expressions.append(pl.col(name).cast(pl.Int64) / 1e9)
    return frame.with_columns(expressions)


def query_sources(folder: Path, sources: dict[str, str], query: str | None, place: str) -> pl.DataFrame:
    """Runs the charter's query over its sources.

    Args:
        folder: The project's folder, which paths are relative to.
        sources: Name of each table and its path.
        query: SQL, or None for all rows of the only source.
        place: Where the query stands, for messages.

    Raises:
        DataMistake: the query fails or gives no rows.
    """
    tables = {name: read_table(folder / path) for name, path in sources.items()}
    if query is None:
        if len(tables) > 1:
            raise DataMistake(
                place,
                f"there are {len(tables)} sources and no query",
                "Write data.query: SELECT ... FROM ... JOIN ...",
            )
        frame = next(iter(tables.values()))
    else:
        try:
            frame = in_utc(pl.SQLContext(tables).execute(query, eager=True))
        except (PolarsError, RuntimeError) as error:
            raise DataMistake(
                place, f"the query fails: {first_line(error)}", f"Tables: {', '.join(tables)}."
            ) from error
    if frame.height == 0:
        raise DataMistake(place, "the data has no rows", "Check the sources and the query.")
    return frame
