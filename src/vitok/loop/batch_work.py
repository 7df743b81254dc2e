"""The work folder of a batch: finished parts beside the output, until the whole appears at once."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
from polars.exceptions import PolarsError

from vitok.data.sources import first_line
from vitok.errors import Busy, DataMistake, UserMistake
from vitok.kernel.ids import new_id
from vitok.loop.batch_rows import Run
from vitok.store.blobs import write_atomically
from vitok.store.locks import take

ENDINGS = (".csv", ".parquet", ".jsonl")
_STATE, _LOCK, _RESULT = "run.json", "lock", "result"


class _State(msgspec.Struct):
    """What a later run must know to go on.

    Args:
        facts: What the parts depend on, by name: input, plan, options.
    """

    run: str
    started: datetime
    facts: dict[str, Any]


class Work:
    """Finished parts of a run, in a hidden folder beside its output.

    Args:
        output: A file that ends in one of `ENDINGS`, or a folder that does not exist yet or is empty.

    Raises:
        UserMistake: it cannot be written.
        DataMistake: the output has an unknown ending, or is a folder with content.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.parent / f".{output.name}.vitok-work"
        if output.suffix and output.suffix.lower() not in ENDINGS and not output.is_dir():
            what = f"has the unknown ending {output.suffix!r}"
            raise DataMistake(str(output), what, f"Use {', '.join(ENDINGS)}, or a folder.")
        if output.is_dir() and any(output.iterdir()):
            what = "is a folder that holds something"
            raise DataMistake(str(output), what, "Name a new folder, or a file.")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds the folder for this process.

        Raises:
            Busy: another process is writing the same output.
        """
        with self.writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = take(self.folder / _LOCK)
        if handle is None:
            raise Busy(str(self.output), "another process is writing it", "Wait, or name another output.")
        try:
            yield
        finally:
            os.close(handle)

    def begin(self, facts: Mapping[str, Any], now: datetime) -> tuple[Run, list[str]]:
        """The run that goes on, or a new one.

        Args:
            facts: What its parts depend on.

        Returns:
            The run; and which facts have changed since the interrupted one, whose parts are gone then.
        """
        known = msgspec.json.decode(msgspec.json.encode(facts))
        state = self._state()
        if state is not None and state.facts == known:
            return Run(state.run, state.started), []
        changed = [] if state is None else [n for n, v in known.items() if state.facts.get(n) != v]
        self._clear()
        state = _State(new_id(now), now, known)
        write_atomically(self.folder / _STATE, msgspec.json.encode(state))
        return Run(state.run, state.started), changed

    def parts(self) -> list[Path]:
        """The finished parts, in their order, up to the first that is missing."""
        found: list[Path] = []
        while (path := self.part(len(found))).is_file():
            found.append(path)
        return found

    def part(self, number: int) -> Path:
        """Where a part lies."""
        return self.folder / f"part-{number:06}.parquet"

    def store(self, number: int, frame: pl.DataFrame) -> None:
        """Keeps a finished part: whole, or not at all."""
        with self.writing():
            self._replace(
                self.part(number), lambda path: frame.write_parquet(path, compression="lz4", statistics=False)
            )

    def keep(self, name: str, lazy: pl.LazyFrame) -> Path:
        """Keeps a table that takes long to make; one that is there already stays."""
        path = self.folder / name
        if not path.is_file():
            self._replace(path, lambda path: lazy.sink_parquet(path, row_group_size=100_000))
        return path

    def finish(self, columns: list[str]) -> None:
        """Makes the output of the parts appear, and removes the work folder.

        Args:
            columns: Those of the output; `action` and `reason` are left out if all rows are the model's.
        """
        with self.writing():
            result = self.folder / _RESULT
            parts = self.parts()
            lazy = pl.scan_parquet(parts, glob=False).select(columns)
            if self.output.suffix:
                self._replace(result, lambda path: _sink(lazy, path, self.output.suffix.lower()))
                os.replace(result, self.output)
            else:
                result.mkdir(exist_ok=True)
                for part in parts:
                    pl.read_parquet(part, columns=columns).write_parquet(result / part.name)
                if self.output.is_dir():
                    self.output.rmdir()
                os.replace(result, self.output)
        shutil.rmtree(self.folder, ignore_errors=True)

    def discard(self) -> None:
        """Removes the folder if it holds no finished part."""
        if not self.parts():
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Says where the finished parts are if something cannot be written.

        Raises:
            UserMistake: a file or a table refuses.
        """
        try:
            yield
        except (OSError, PolarsError) as error:
            reason = getattr(error, "strerror", None) or first_line(error)
            remedy = f"Free disk space or permissions, then run again.{self.kept()}"
            raise UserMistake(str(self.output), f"cannot be written: {reason}", remedy) from error
        except UserMistake as error:
            if self.kept() in error.remedy:
                raise
            raise UserMistake(error.place, error.what, error.remedy + self.kept()) from error

    def kept(self) -> str:
        """What remains of the work, for messages; empty if nothing does."""
        return f" It will go on after the finished parts, kept in {self.folder}." if self.parts() else ""

    def _state(self) -> _State | None:
        try:
            return msgspec.json.decode((self.folder / _STATE).read_bytes(), type=_State)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _LOCK:
                path.unlink()

    def _replace(self, path: Path, write: Any) -> None:
        temporary = path.with_name(f"{path.name}.writing")
        try:
            write(temporary)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _sink(lazy: pl.LazyFrame, path: Path, ending: str) -> None:
    if ending == ".csv":
        lazy.sink_csv(path)
    elif ending == ".jsonl":
        lazy.sink_ndjson(path)
    else:
        lazy.sink_parquet(path)
