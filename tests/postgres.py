"""A Postgres server of our own in a temporary folder, reached by a Unix socket; never a service of the system."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

PASSWORD = "s3cr3t p@ss/w:rd%"  # with all that a URL must not have as it is
USER = "vitok"
_DEBIAN = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """The folder of the newest server's programs, None if there is none."""
    found = shutil.which("initdb")
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    paths = [Path(found)] if found else versions
    return paths[-1].parent if paths else None


class Cluster:
    """One server.

    Args:
        folder: Owned by whoever runs it, who must not be root.
    """

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self._folder, self._bin = folder, bin_folder
        self._as: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
        word = folder / "word"
        word.write_text(PASSWORD)
        if self._as:
            shutil.chown(folder, "postgres", "postgres")
            shutil.chown(word, "postgres")
        words = ["-U", USER, "-A", "scram-sha-256", "--pwfile", word, "-E", "UTF8", "--no-locale"]
        self._run("initdb", "-D", folder / "data", "--no-sync", *words)

    def _run(self, program: str, *words: Any) -> None:
        subprocess.run(
            [self._bin / program, *map(str, words)],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            timeout=60,
            **self._as,
        )

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        how = f"-c listen_addresses= -c fsync=off -k {self._folder}"
        self._run("pg_ctl", "-D", self._folder / "data", "-l", self._folder / "log", "-w", "-o", how, "start")

    def stop(self, how: str = "fast") -> None:
        """Stops it; with `immediate` as a crash would."""
        self._run("pg_ctl", "-D", self._folder / "data", "-m", how, "-w", "stop")

    def query(self, query: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of a query, or none of a command."""
        where = {"host": str(self._folder), "user": USER, "password": PASSWORD, "dbname": database}
        with psycopg.connect(**where, autocommit=True) as connection:  # type: ignore[arg-type]
            cursor = connection.execute(query)  # type: ignore[call-overload]
            return [] if cursor.description is None else cursor.fetchall()

    def database(self, name: str) -> str:
        """The URL of a new and empty database."""
        self.query(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.query(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str, password: str = PASSWORD) -> str:
        """How Vitok is told of a database."""
        return f"postgresql+psycopg://{USER}:{quote(password, safe='')}@/{name}?host={self._folder}"


@contextmanager
def server(bin_folder: Path) -> Iterator[Cluster]:
    """A server that runs until the end."""
    folder = Path(tempfile.mkdtemp(prefix="vitok-postgres-"))
    cluster = Cluster(folder, bin_folder)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
