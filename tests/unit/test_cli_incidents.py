"""`vitok incidents` on the command line: its words, its JSON, its mistakes."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from rollouts import START, two_versions
from vitok.cli.app import build
from vitok.errors import UserMistake
from vitok.kernel.clock import VirtualClock


@pytest.fixture
def call(tmp_path: Path) -> Any:
    two_versions(tmp_path, VirtualClock(START)).engine.dispose()
    app: typer.Typer = build(["incidents"])

    def run(*words: str) -> Any:
        result = CliRunner().invoke(app, [words[0], *words[1:], "--project", str(tmp_path)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return json.loads(result.stdout) if "--json" in words else result.stdout

    return run


def test_an_incident_from_its_opening_to_the_last_action(call: Any, tmp_path: Path) -> None:
    assert call("incidents") == "None is open.\n"
    assert call("incidents", "open", "--title", "feed is late") == "Incident 1 (medium) is open.\n"
    call("incidents", "note", "1", "--text", "restarts at noon")
    due = ("--owner", "bob", "--due", "2013-04-01")
    assert "bob, by 2013-04-01" in call("incidents", "action", "1", "--add", "watch it", *due)
    assert (
        call("incidents", "close", "1", "--cause", "a cable", "--as", "ada", "--json")["closed_by"] == "ada"
    )
    shown = call("incidents", "show", "1")
    assert "closed by ada: a cable" in shown
    assert "restarts at noon" in shown
    listed = call("incidents", "--all")
    assert "feed is late" in listed
    assert "overdue" in listed
    call("incidents", "action", "1", "--done", "1")
    assert call("incidents", "--json")["actions"] == []
    found = call("incidents", "postmortem", "1", "-o", str(tmp_path / "new" / "1.md"), "--json")
    assert (tmp_path / "new" / "1.md").read_text(encoding="utf-8") == found["markdown"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("open", "--title", "x", "--severity", "hig"), "Did you mean 'high'"),
        (("open", "--title", " "), "says nothing"),
        (("action", "1"), "either --add TEXT or --done K"),
        (("action", "1", "--add", "x"), "needs an owner and a day"),
        (("show", "7"), "There has been none yet"),
    ],
)
def test_mistakes_are_told_with_a_remedy(call: Any, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserMistake, match=message):
        call("incidents", *words)
