"""Commands in processes that are forked from one which has imported everything already.

Each is a process of its own with its own streams, folder and exit code, as a user's is; only the second of imports
that hundreds of commands would spend is spent once. Commands that start processes of their own are run plainly.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from pkgutil import iter_modules

import vitok.cli

_APART = {"demo", "replay", "serve", "up"}
_HEAVY = [
    "dbos",
    "duckdb",
    "lightgbm",
    "mlflow",
    "onnxruntime",
    "optuna",
    "polars",
    "skl2onnx",
    "sklearn.pipeline",
]
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [*_HEAVY, *(f"vitok.cli.{each.name}" for each in iter_modules(vitok.cli.__path__) if each.name[0] != "_")]
)


def run(
    words: Sequence[str],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    preexec_fn: Callable[[], None] | None = None,
) -> "subprocess.CompletedProcess[bytes]":
    """Runs `vitok WORDS` to its end.

    Raises:
        subprocess.TimeoutExpired: it takes longer; it is killed.
    """
    command = [sys.executable, "-m", "vitok.cli", *words]
    if preexec_fn is not None or _APART.intersection(words[:1]):
        how = {"cwd": cwd, "env": env, "preexec_fn": preexec_fn}
        return subprocess.run(command, capture_output=True, timeout=timeout, check=False, **how)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        surroundings = dict(os.environ) if env is None else env
        given = (list(words), str(out), str(err), str(cwd or Path.cwd()), surroundings)
        process = _context.Process(target=_command, args=given)
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, timeout, out.read_bytes(), err.read_bytes())
        return subprocess.CompletedProcess(command, process.exitcode, out.read_bytes(), err.read_bytes())


def _command(words: list[str], out: str, err: str, cwd: str, surroundings: dict[str, str]) -> None:
    for stream, path in ((0, os.devnull), (1, out), (2, err)):
        flags = os.O_RDONLY if stream == 0 else os.O_WRONLY | os.O_CREAT
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, stream)
        os.close(opened)
    sys.stdin = os.fdopen(0, "r", closefd=False)
    sys.stdout, sys.stderr = (os.fdopen(fd, "w", closefd=False) for fd in (1, 2))
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(surroundings)
    sys.argv = ["vitok", *words]
    from vitok.cli.app import main

    try:
        main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
