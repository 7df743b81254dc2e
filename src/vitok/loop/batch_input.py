"""What a batch reads: files, folders, a table of the lake, or the rows of a query."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from vitok.data.scans import Table, Wanted, expand, look, open_file, scan_file
from vitok.data.sources import first_line
from vitok.errors import DataMistake, NotFound, UserMistake
from vitok.loop.batch_work import Work
from vitok.loop.project import Project

LAKE = "lake:"
_ROWS = "rows"  # the name of INPUT in a query
_QUERY_ROWS = "query.parquet"


class Input:
    """Where the rows of a batch come from.

    Args:
        source: A path, a pattern, or `lake:NAME`; None for a query over the charter's sources alone.
        query: SQL over the charter's sources, and over the source as `rows`.

    Raises:
        NotFound: there is no such file or table.
    """

    def __init__(self, project: Project, source: str | None, query: str | None) -> None:
        if source is None and query is None:
            raise UserMistake("vitok predict", "there is nothing to predict", "Give INPUT, or --query SQL.")
        self._project, self._source, self._query = project, source, query
        self._table = source.removeprefix(LAKE) if source and source.startswith(LAKE) else None
        self._version = None if self._table is None else _latest(project, self._table)
        self.files = [] if source is None or self._table is not None else expand(source)
        self._others = {} if query is None else self._named_sources(query)

    def facts(self) -> dict[str, Any]:
        """What tells a changed input from the same: paths, sizes and times of change, or a version."""
        files = [*self.files, *self._others.values()]
        marks = [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in files]
        return {"input": [self._source, self._version, marks], "query": self._query}

    def refuse_inside(self, output: Path) -> None:
        """Refuses an output among the inputs.

        Raises:
            UserMistake: it is one of the files, or inside of the folder that is read.
        """
        place, files = output.resolve(), {path.resolve() for path in self.files}
        folder = Path(self._source or "")
        is_inside = self._table is None and self._source is not None and folder.is_dir()
        if place in files or (is_inside and place.is_relative_to(folder.resolve())):
            what = f"lies inside the input {self._source}" if is_inside else "is the input itself"
            raise UserMistake(str(output), what, "Write the output somewhere else.")

    def tables(self, wanted: Mapping[str, Wanted], work: Work) -> list[Table]:
        """The tables to predict, each looked at.

        Raises:
            DataMistake: one cannot be predicted, or has other columns than the one before.
        """
        if self._query is not None:
            rows = work.folder / _QUERY_ROWS
            if not rows.is_file():
                self._run_query(self._query, work)
            return [_named(look, "the query's rows", pl.scan_parquet(rows, glob=False), wanted)]
        if self._table is not None:
            lazy = self._project.lake.scan(self._table, self._version)
            return [_named(look, f"{LAKE}{self._table}", lazy, wanted)]
        tables: list[Table] = []
        for number, path in enumerate(self.files):
            tables.append(self._open(path, wanted, work.folder / f"utf8-{number}", tables))
        return tables

    def _open(self, path: Path, wanted: Mapping[str, Wanted], spare: Path, before: list[Table]) -> Table:
        table = open_file(path, wanted, spare)
        here = table.lazy.collect_schema()
        for other in before[:1]:
            there = other.lazy.collect_schema()
            for name in wanted:
                if (
                    name in here
                    and name in there
                    and (mine := _class(here[name])) != (its := _class(there[name]))
                ):
                    if None in (mine, its) or (table.rows == 0 or other.rows == 0):
                        continue
                    what = f"column {name!r} is {mine} here and {its} in {other.place}"
                    raise DataMistake(str(path), what, "Give all files of a folder the same columns.")
                if (name in here) != (name in there):
                    what = f"column {name!r} is {'' if name in here else 'not '}here, unlike in {other.place}"
                    raise DataMistake(str(path), what, "Give all files of a folder the same columns.")
        return table

    def _run_query(self, query: str, work: Work) -> None:
        """Keeps the rows of the query, so that a run that goes on reads the same ones in the same order."""
        for is_thorough in (False, True):
            tables = self._query_tables(is_thorough)
            try:
                with pl.SQLContext(tables) as context:
                    work.keep(_QUERY_ROWS, context.execute(query, eager=False))
                return
            except (PolarsError, RuntimeError, OSError) as error:
                if "No space" in str(error):
                    raise UserMistake(
                        "disk", f"is full: {first_line(error)}", "Free space, then run again."
                    ) from error
                if is_thorough:
                    known = f"Tables: {', '.join(tables)}." if tables else "Name a source of the charter."
                    raise DataMistake("--query", f"the query fails: {first_line(error)}", known) from error

    def _query_tables(self, is_thorough: bool) -> dict[str, pl.LazyFrame]:
        tables = {name: scan_file(path, is_thorough=is_thorough) for name, path in self._others.items()}
        if self._table is not None:
            tables[_ROWS] = self._project.lake.scan(self._table, self._version)
        elif self.files:
            parts = [scan_file(path, is_thorough=is_thorough) for path in self.files]
            tables[_ROWS] = pl.concat(parts, how="vertical_relaxed")
        return tables

    def _named_sources(self, query: str) -> dict[str, Path]:
        sources = self._project.charter.data.sources
        named = {n: p for n, p in sources.items() if re.search(rf"\b{re.escape(n)}\b", query)}
        for name, path in named.items():
            if not (self._project.folder / path).is_file():
                raise NotFound(
                    f"source {name}", f"there is no file {path}", "See data.sources of the charter."
                )
        return {name: self._project.folder / path for name, path in named.items()}


def chunks(tables: list[Table], start: int, size: int) -> Iterator[pl.DataFrame]:
    """The rows of tables behind each other, from `start` on, in pieces of exactly `size` and a last one."""
    waiting: list[pl.DataFrame] = []
    height = 0
    for table in tables:
        if start >= table.rows:
            start -= table.rows
            continue
        for chunk in table.chunks(start, size):
            frame = chunk
            while height + frame.height >= size:
                taken = size - height
                yield _joined([*waiting, frame[:taken]])
                waiting, height, frame = [], 0, frame[taken:]
            if frame.height:
                waiting, height = [*waiting, frame], height + frame.height
        start = 0
    if waiting:
        yield _joined(waiting)


def _joined(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical_relaxed", rechunk=True)


def _named(work: Any, place: str, lazy: pl.LazyFrame, wanted: Mapping[str, Wanted]) -> Table:
    try:
        table: Table = work(place, lazy, wanted)
    except PolarsError as error:
        raise DataMistake(place, f"cannot be read: {first_line(error)}", "Check its columns.") from error
    return table


def _latest(project: Project, table: str) -> int:
    versions = project.lake.versions(table) if table else []
    if not versions:
        place = Path(project.lake.place)
        known = sorted(str(log.parent.name) for log in place.glob("*/_delta_log")) if place.is_dir() else []
        remedy = f"Tables: {', '.join(known)}." if known else "The lake has no table yet."
        raise NotFound(f"{LAKE}{table}", "there is no such table in the lake", remedy)
    return versions[-1]


def _class(kind: pl.DataType) -> str | None:
    """What a column is, for comparing files; None for one without any value."""
    if kind == pl.Null:
        return None
    if kind.is_numeric():
        return "a number"
    if kind == pl.Boolean:
        return "true or false"
    return "a time" if kind.is_temporal() else "nested" if kind.is_nested() else "text"
