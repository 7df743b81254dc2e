"""Tables that keep every version: Delta tables in a folder or an object store, read and written with polars.

Three promises that the library underneath does not make by itself: an append never casts a column in silence,
an append with a writer and a sequence happens once however often it is repeated, and times are UTC
microseconds.
"""

import errno
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from vitok.errors import DataMistake, Fault, NotFound, UserMistake, VitokError

TIME = pl.Datetime("us", "UTC")
_ATTEMPTS = 5
# Whoever opens a table reads its log from the last checkpoint on; every hundred commits, as it would be, is late.
TABLE_SETTINGS = {"delta.checkpointInterval": "20"}
_NO_SPACE = ("No space left on device", "File too large", "Disk quota exceeded", f"os error {errno.ENOSPC}")
_LOG = "_delta_log"
_T = TypeVar("_T")


class Lake:
    """Delta tables by name under one folder or URL.

    Args:
        place: A folder, or a URL that object stores understand (`s3://bucket/prefix`).
        options: Storage options of the object store (credentials, endpoint).
    """

    def __init__(self, place: str | Path, options: Mapping[str, str] | None = None) -> None:
        self.place = str(place).rstrip("/")
        self.options = dict(options or {})

    def exists(self, table: str) -> bool:
        """Whether the table has been written at least once."""
        from deltalake import DeltaTable

        return bool(DeltaTable.is_deltatable(self.address(table), storage_options=self.options or None))

    def write_version(self, table: str, frame: pl.DataFrame) -> int:
        """Makes the frame the table's new content; earlier versions stay readable.

        Returns:
            The number of the new version.
        """
        content = plain_types(frame, table)
        self._write(table, content, mode="overwrite", schema_mode="overwrite")
        return int(self.open(table).version())

    def append(
        self,
        table: str,
        frame: pl.DataFrame,
        writer: str | None = None,
        sequence: int | None = None,
    ) -> bool:
        """Adds rows; with a writer, only if the sequence is later than the writer's last one.

        Returns:
            Whether rows were added; False says that this sequence is in the table already.

        Raises:
            DataMistake: the frame's columns or types are not those of the table.
        """
        if (writer is None) != (sequence is None):
            raise Fault(
                f"table {table}", "a writer needs a sequence and the reverse", "Give both or neither."
            )
        sequences = {} if writer is None else {writer: int(sequence or 0)}
        return self.append_all(table, frame, sequences)

    def append_all(self, table: str, frame: pl.DataFrame, sequences: Mapping[str, int]) -> bool:
        """Adds the rows of several writers in one commit, all or nothing.

        Args:
            sequences: The last sequence that the frame holds, by writer. If any is not later than that
                writer's last one in the table, nothing is added.
        """
        content, there = plain_types(frame, table), None
        if self.exists(table):
            there = self.open(table)
            check_types(table, types_of(there), content)
            done = {writer: there.transaction_version(writer) for writer in sequences}
            if any(last is not None and last >= sequences[writer] for writer, last in done.items()):
                return False
        self._write(table, content, mode="append", sequences=sequences, there=there)
        return True

    def last_sequence(self, table: str, writer: str) -> int | None:
        """The last sequence that a writer appended, or None."""
        if not self.exists(table):
            return None
        found = self.open(table).transaction_version(writer)
        return None if found is None else int(found)

    def scan(self, table: str, version: int | None = None) -> pl.LazyFrame:
        """The table as a lazy frame.

        Raises:
            NotFound: no such table or version.
        """
        return pl.scan_delta(self.open(table, version))

    def read(self, table: str, version: int | None = None) -> pl.DataFrame:
        """The table's rows, of its latest or of an earlier version.

        Raises:
            NotFound: no such table or version.
        """
        return guarded(f"table {table}", lambda: self.scan(table, version).collect())

    def versions(self, table: str) -> list[int]:
        """The numbers of the table's versions, oldest first; empty if there is no such table."""
        if not self.exists(table):
            return []
        return sorted(int(entry["version"]) for entry in self.open(table).history())

    def latest(self, table: str) -> int | None:
        """The number of the table's latest version, None if there is no such table."""
        return int(self.open(table).version()) if self.exists(table) else None

    def missing_files(self, table: str) -> list[str]:
        """Names of the files that the table's latest version needs and that are not there, or cannot be read.

        Raises:
            Fault: the table itself cannot be opened.
        """
        return [name for name in self.open(table).file_uris() if not _is_readable(name)]

    def compact(self, table: str) -> None:
        """Joins small files into large ones; rows, sequences and versions stay as they are."""
        if self.exists(table):
            guarded(f"table {table}", lambda: self.open(table).optimize.compact())

    def address(self, table: str) -> str:
        """Where a table lies."""
        return f"{self.place}/{table}"

    def open(self, table: str, version: int | None = None) -> Any:
        """A table as the library underneath has it.

        Raises:
            NotFound: it does not exist, or has no such version.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        place = f"table {table}" if version is None else f"table {table} version {version}"
        try:
            return DeltaTable(self.address(table), version=version, storage_options=self.options or None)
        except TableNotFoundError as error:
            raise NotFound(place, "does not exist", "Nothing has been written to it yet.") from error
        except DeltaError as error:
            if version is not None and version not in self.versions(table):
                raise NotFound(place, "does not exist", f"It has {self.versions(table)}.") from error
            raise _translated(place, error) from error

    def _write(
        self,
        table: str,
        frame: pl.DataFrame,
        sequences: Mapping[str, int] | None = None,
        *,
        there: Any = None,
        **how: Any,
    ) -> None:
        """Writes a frame.

        Args:
            there: The table if it is open: to open one takes longer with each commit.
        """
        from deltalake import CommitProperties, Transaction, WriterProperties, write_deltalake
        from deltalake.exceptions import CommitFailedError

        marks = [Transaction(writer, last) for writer, last in sorted((sequences or {}).items())]
        for attempt in range(_ATTEMPTS):
            try:
                guarded(
                    f"table {table}",
                    lambda: write_deltalake(
                        self.address(table) if there is None else there,
                        frame,
                        storage_options=self.options or None,
                        writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
                        configuration=TABLE_SETTINGS if there is None else None,
                        commit_properties=CommitProperties(app_transactions=marks) if marks else None,
                        **how,
                    ),
                )
                return
            except Fault as error:
                if not isinstance(error.__cause__, CommitFailedError) or marks or attempt == _ATTEMPTS - 1:
                    raise


def types_of(there: Any) -> dict[str, pl.DataType]:
    """The columns and types of an opened table."""
    return dict(pl.scan_delta(there).collect_schema())


def check_types(table: str, expected: Mapping[str, pl.DataType], frame: pl.DataFrame) -> None:
    """Checks that rows have the columns and types of a table.

    Raises:
        DataMistake: they have not.
    """
    given = dict(frame.schema)
    if expected == given:
        return
    for name, kind in expected.items():
        if name not in given:
            raise DataMistake(f"table {table}", f"column {name!r} ({kind}) is missing", "Add it.")
        if given[name] != kind:
            raise DataMistake(
                f"table {table}, column {name!r}",
                f"is {given[name]}, the table has {kind}",
                "Cast it first.",
            )
    extra = sorted(set(given) - set(expected))
    if extra:
        raise DataMistake(f"table {table}", f"has no column {extra[0]!r}", "Drop it, or write a new version.")


def _is_readable(name: str) -> bool:
    """Whether a file ends as Parquet does, and what its end tells can be read."""
    try:
        pl.read_parquet_schema(name)
        pl.scan_parquet(name).select(pl.len()).collect()
    except (OSError, pl.exceptions.PolarsError):
        return False
    return True


def table_folders(place: Path) -> dict[Path, int]:
    """The folders of the tables of a lake in a folder, with the latest version of each."""
    found = {}
    for log in sorted(place.glob(f"*/{_LOG}")):
        versions = [int(name.stem) for name in log.glob("*.json") if name.stem.isdecimal()]
        if versions:
            found[log.parent] = max(versions)
    return found


def table_files(folder: Path, version: int) -> Iterator[Path]:
    """The files of a table that versions up to this one need.

    Data that no such version names may be among them; the hint at the last checkpoint is not: it may be of a later one.
    """
    for path in sorted(folder.rglob("*")):
        number = path.name.partition(".")[0]
        in_log = path.parent.name == _LOG
        if path.is_file() and (
            number.isdecimal() and int(number) <= version if in_log else path.suffix == ".parquet"
        ):
            yield path


def plain_types(frame: pl.DataFrame, table: str = "frame") -> pl.DataFrame:
    """The frame in types that every table can hold: strings, UTC microseconds, signed integers.

    Raises:
        DataMistake: a column has a type that tables cannot hold.
    """
    casts = []
    for name, kind in frame.schema.items():
        column = pl.col(name)
        if isinstance(kind, (pl.Categorical, pl.Enum)) or kind == pl.Null:
            casts.append(column.cast(pl.String))
        elif isinstance(kind, pl.Datetime) and kind != TIME:
            naive = column.cast(pl.Datetime("us", kind.time_zone))
            casts.append(
                naive.dt.convert_time_zone("UTC") if kind.time_zone else naive.dt.replace_time_zone("UTC")
            )
        elif kind.is_unsigned_integer():
            casts.append(column.cast(pl.Int64))
        elif kind in (pl.Time, pl.Duration, pl.Object, pl.Int128):
            raise DataMistake(
                f"{table}, column {name!r}", f"has type {kind}", "Cast it to a number or a text."
            )
    return frame.with_columns(casts) if casts else frame


def guarded(place: str, work: Callable[[], _T]) -> _T:
    """Does what the library underneath does; what it raises becomes an error of ours.

    Raises:
        UserMistake: the disk is full.
        Fault: anything else.
    """
    try:
        return work()
    except VitokError:
        raise
    except Exception as error:  # the library raises its own, OSError and Arrow errors
        raise _translated(place, error) from error


def _translated(place: str, error: Exception) -> VitokError:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if any(sign in str(error) for sign in _NO_SPACE):
        return UserMistake(place, f"cannot be written: {text}", "Free disk space, then run again.")
    return Fault(
        place, f"the table cannot be used: {text}", "Restore the lake from a backup if it is damaged."
    )
