"""Millions of typed rows into one table of the lake, by one writer: speed counts more than size."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl

from vitok.store.lake import TABLE_SETTINGS, Lake, check_types, guarded, plain_types, types_of


class BulkTable:
    """A table of the lake that stays open while a writer adds part after part.

    Files of a folder are written by Polars, in half the time of the Delta library, which then commits them; those of
    an object store it writes itself.

    Args:
        writer: Whose parts these are; another process must not write them at the same time.
    """

    def __init__(self, lake: Lake, table: str, writer: str) -> None:
        self._lake, self._table, self._writer = lake, table, writer
        self._place = f"table {table}"
        self._there: Any = None
        self._types: dict[str, pl.DataType] = {}

    def append(self, frame: pl.DataFrame, sequence: int) -> bool:
        """Adds a part, all or nothing, if its sequence is later than the writer's last one.

        Returns:
            Whether rows were added; False says that this sequence is in the table already.

        Raises:
            DataMistake: the frame's columns or types are not those of the table.
            UserMistake: the disk is full.
        """
        content = plain_types(frame, self._table)
        there = self._opened(content)
        check_types(self._table, self._types, content)
        last = there.transaction_version(self._writer)
        if last is not None and last >= sequence:
            return False
        add = self._add_file if "://" not in self._lake.place else self._write
        guarded(self._place, lambda: add(there, content, sequence))
        return True

    def _opened(self, content: pl.DataFrame) -> Any:
        if self._there is not None:
            guarded(self._place, self._there.update_incremental)
            return self._there
        if not self._lake.exists(self._table):
            guarded(self._place, lambda: self._create(content))
        self._there = self._lake.open(self._table)
        self._types = types_of(self._there)
        return self._there

    def _create(self, content: pl.DataFrame) -> None:
        from deltalake import write_deltalake

        options = self._lake.options or None
        address = self._lake.address(self._table)
        write_deltalake(address, content.clear(), storage_options=options, configuration=TABLE_SETTINGS)

    def _add_file(self, there: Any, content: pl.DataFrame, sequence: int) -> None:
        from deltalake.transaction import AddAction

        path = Path(self._lake.address(self._table)) / f"part-{uuid4()}.parquet"
        try:
            content.write_parquet(path, compression="lz4")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        # From here on it stays: a commit that fails may have been made all the same.
        facts, counted = path.stat(), json.dumps({"numRecords": content.height})
        action = AddAction(path.name, facts.st_size, {}, round(facts.st_mtime * 1000), True, counted)
        mark = self._mark(sequence)
        there.create_write_transaction([action], "append", there.schema(), commit_properties=mark)

    def _write(self, there: Any, content: pl.DataFrame, sequence: int) -> None:
        from deltalake import ColumnProperties, WriterProperties, write_deltalake

        plain = ColumnProperties(dictionary_enabled=False)  # numbers and ids fill dictionaries in vain
        packed = WriterProperties(compression="LZ4_RAW", default_column_properties=plain)
        write_deltalake(
            there, content, mode="append", writer_properties=packed, commit_properties=self._mark(sequence)
        )

    def _mark(self, sequence: int) -> Any:
        from deltalake import CommitProperties, Transaction

        return CommitProperties(app_transactions=[Transaction(self._writer, sequence)])
