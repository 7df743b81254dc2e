"""`vitok audit` on the command line: lists, verifies, signs, exports; and holds nothing of any person."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rollouts import START, two_versions
from vitok.cli.app import build
from vitok.errors import Fault, UserMistake
from vitok.govern import audit
from vitok.kernel.clock import VirtualClock
from vitok.loop.auditing import require_whole_log
from vitok.loop.keys import add_key, revoke_key
from vitok.loop.outcomes import take_outcomes
from vitok.loop.release import release_at_once
from vitok.store import schema

PERSON = "Zebulon-4711"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("VITOK_SECRET", "a secret that is long enough")
    made = two_versions(tmp_path, VirtualClock(START))
    release_at_once(made, 2, actor="bob")
    yield made
    made.engine.dispose()


@pytest.fixture
def call(project: Any) -> Any:
    app = build(["audit"])

    def run(*words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["audit", *words, "--project", str(project.folder)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code
        return json.loads(result.stdout) if "--json" in words else result.stdout

    return run


def tamper(project: Any, statement: str) -> None:
    database = sqlite3.connect(project.state / "state.sqlite")
    with database:
        database.execute(statement)
    database.close()


def test_lines_are_listed_by_who_what_and_when(call: Any) -> None:
    assert [line["actor"] for line in call("--json")["lines"]] == ["bob", "ada"]
    assert call("--actor", "ada", "--json")["found"] == 1
    assert call("--action", "IMMED", "--subject", "version 2", "--json")["found"] == 1
    assert call("--since", "2013-03-02", "--json")["found"] == 0
    assert "and 1 before" in call("--limit", "1")
    assert call("--action", "100%_") == "Nothing was found.\n"


def test_log_is_signed_verified_and_a_cut_tail_is_named(call: Any, project: Any, tmp_path: Path) -> None:
    assert call("checkpoint", "--json")["sequence"] == 2
    call("checkpoint", "-o", str(tmp_path / "kept.json"))
    assert "Whole: 2 lines, 1 checkpoints; 0 lines since" in call("verify")
    tamper(project, "DELETE FROM audit WHERE sequence = 2")
    assert "BAD  line 2 cut off at the end" in call("verify", code=3)
    with pytest.raises(Fault, match="line 2 cut off"):
        require_whole_log(project)
    tamper(project, "DELETE FROM checkpoints")
    assert call("verify", "--json")["ok"] is True
    found = call("verify", "--checkpoint", str(tmp_path / "kept.json"), "--json", code=3)
    assert [each["line"] for each in found["problems"]] == [2]


def test_other_installations_key_counts_only_if_it_is_named(
    call: Any, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = call("checkpoint", "--json")["key"]
    monkeypatch.setenv("VITOK_SECRET", "the secret of another machine")
    assert call("verify", "--json", code=3)["untrusted"] == [key]
    assert call("verify", "--key", key, "--json")["ok"] is True
    assert require_whole_log(project).startswith("whole")


@pytest.mark.parametrize("form", ["jsonl", "cloudevents"])
def test_export_holds_every_line_and_the_checkpoints(call: Any, tmp_path: Path, form: str) -> None:
    call("checkpoint")
    file = tmp_path / "out" / "audit.jsonl"
    assert call("export", "--format", form, "-o", str(file), "--json")["lines"] == 3
    lines = [json.loads(text) for text in file.read_text(encoding="utf-8").splitlines()]
    if form == "jsonl":
        assert [line.get("subject") for line in lines] == ["version 1", "version 2", None]
        assert lines[-1]["checkpoint"]["digest"] == lines[-2]["digest"]
    else:
        assert {line["specversion"] for line in lines} == {"1.0"}
        assert [line["type"] for line in lines] == [
            "vitok.audit.immediate",
            "vitok.audit.immediate",
            "vitok.audit.checkpoint",
        ]
        assert len({line["id"] for line in lines}) == 3
    assert call("verify", "--checkpoint", str(file), "--json")["ok"] is True


@pytest.mark.parametrize("words", [("export", "--format", "xml"), ("export", "--json")])
def test_mistakes_of_an_export_are_told(call: Any, words: tuple[str, ...]) -> None:
    with pytest.raises(UserMistake):
        call(*words)


def test_file_without_a_checkpoint_is_a_mistake(call: Any, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text('{"sequence": 1}\n')
    with pytest.raises(UserMistake, match="holds no checkpoint"):
        call("verify", "--checkpoint", str(tmp_path / "none.json"))


def test_nothing_of_a_person_stands_in_the_log(project: Any, tmp_path: Path) -> None:
    """Outcomes of a planted person come and go: the log tells how many, and a keyed digest of the file."""
    file = tmp_path / "landed.csv"
    file.write_text(f"flight,late,tail\n{PERSON},true,{PERSON}\n")
    assert take_outcomes(project, file, actor="ada")["unmatched"] == 1
    add_key(project, "shop", scopes=["predict"], actor="ada")
    revoke_key(project, "shop", actor="ada")
    with project.engine.connect() as connection:
        rows = [str(tuple(row)) for row in connection.execute(schema.audit.select())]
        (line,) = audit.lines(connection, action="take outcomes")
    assert line["details"]["file"].startswith("hmac:")
    assert (line["actor"], line["details"]["unmatched"]) == ("ada", 1)
    assert not [row for row in rows if PERSON in row]
