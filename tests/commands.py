"""The command line as a user has it: processes, files, exit codes."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

import forked

COMMAND = [sys.executable, "-m", "vitok.cli"]


@dataclass(frozen=True)
class Answer:
    """How a command ended.

    Args:
        code: Exit code.
        json: The one object on stdout, None without `--json`.
        out, err: What it wrote.
    """

    code: int
    json: Any
    out: str
    err: str

    @property
    def error(self) -> dict[str, str]:
        """The mistake that was told."""
        return self.json["error"]

    @property
    def message(self) -> str:
        """The one line of a mistake."""
        return self.err.strip().splitlines()[-1]


def run_vitok(*words: Any, as_json: bool = True, **how: Any) -> Answer:
    """Runs one command to its end."""
    done = forked.run([*map(str, words), *(["--json"] if as_json else [])], timeout=120, **how)
    out, err = done.stdout.decode(), done.stderr.decode()
    found = None
    if as_json and done.returncode in (0, 2, 3) and out:
        found = json.loads(out)
        assert isinstance(found, dict)
        assert out.count("\n") == 1, out
    return Answer(done.returncode, found, out, err)


def mistake_of(*words: Any, code: int = 2, says: tuple[str, ...] = (), **how: Any) -> Answer:
    """Runs a command that must tell one clear mistake, and says what it must name."""
    answer = run_vitok(*words, **how)
    assert answer.code == code, (answer.code, answer.out, answer.err)
    assert "Traceback" not in answer.err
    assert "error" in (answer.json or {}), (answer.out, answer.err)
    error = answer.error
    assert error["place"]
    assert error["what"]
    assert error["remedy"].endswith((".", "?")), error
    lines = [line for line in answer.err.splitlines() if line.startswith("vitok: ")]
    assert lines == [f"vitok: {error['place']}: {error['what']}. {error['remedy']}"], answer.err
    for words_said in says:
        assert words_said in lines[0], lines[0]
    return answer


def edit(project: Path, change: Any) -> None:
    """Changes the charter of a project."""
    path = project / "vitok.yaml"
    charter = yaml.safe_load(path.read_text(encoding="utf-8"))
    if (
        True in charter["retrain"]
    ):  # YAML 1.1 takes the word `on` for a truth value, unless an edit has quoted it
        charter["retrain"]["on"] = charter["retrain"].pop(True)
    change(charter)
    path.write_text(yaml.safe_dump(charter, allow_unicode=True, sort_keys=False), encoding="utf-8")


def cancer() -> pl.DataFrame:
    """Breast cancer: 569 rows, a text target, an id."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    frame = pl.DataFrame(data.data, schema=[str(name) for name in data.feature_names])
    diagnosis = ["benign" if code else "malignant" for code in data.target]
    return frame.with_columns(diagnosis=pl.Series(diagnosis), patient=pl.int_range(pl.len()) + 1000)


def files_of(project: Path) -> dict[str, bytes]:
    """Everything in a folder, to see that nothing was half-written.

    SQLite's own companions of a database come and go with whoever has it open.
    """
    return {
        str(path.relative_to(project)): path.read_bytes()
        for path in sorted(project.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }
