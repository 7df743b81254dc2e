"""`vitok init` on a terminal: it asks what the table cannot tell, explains a wrong answer, and asks again."""

import os
import pty
import select
import subprocess
import time

import pytest
import yaml

from commands import COMMAND, cancer


def talk(words, answers, within=30):
    """Runs a command on a pseudo-terminal and answers each question as it comes: (what it asks, what is said)."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *map(str, words)], stdin=slave, stderr=slave, stdout=subprocess.PIPE, text=True
    )
    os.close(slave)
    said, waiting, until = "", list(answers), time.monotonic() + within
    while time.monotonic() < until:
        ready, _, _ = select.select([master], [], [], 0.1)
        if ready:
            try:
                said += os.read(master, 4096).decode()
            except OSError:
                break
        if waiting and waiting[0][0] in said.rsplit("\n", 1)[-1]:
            answer = waiting.pop(0)[1]
            os.write(master, f"{answer}\n".encode())
            said += "\n"
        if process.poll() is not None and not ready:
            break
    out = process.communicate(timeout=60)[0]
    os.close(master)
    assert not waiting, f"never asked: {waiting}\n{said}"
    return process.returncode, out, said


@pytest.fixture
def table(tmp_path):
    cancer().write_csv(tmp_path / "cancer.csv")
    return tmp_path / "cancer.csv"


def test_answers_stand_in_the_charter_and_wrong_ones_are_asked_again(table, tmp_path):
    answers = [
        ("Which column is to be predicted?", "diagnosys"),
        ("Which column is to be predicted?", "diagnosis"),
        ("What is it for", "Find malignant tumours early"),
        ("Who answers for it?", "dr.ada@example.org"),
        ("is the one to find", "malignantt"),
        ("is the one to find", "malignant"),
        ("Money for", "500 minus"),
        ("Money for", "-1 -50 0 0"),
        ("Money for", "500 -50 -500 0"),
    ]
    code, out, said = talk(["init", tmp_path / "p", "--data", table, "--exclude", "patient"], answers)
    assert code == 0, said
    assert "there is no column 'diagnosys'" in said
    assert "no value of the target" in said
    assert "is not four numbers" in said
    assert "a wrong decision earns as much as the right one" in said
    charter = yaml.safe_load((tmp_path / "p/vitok.yaml").read_text())
    assert charter["goal"] == {
        "statement": "Find malignant tumours early",
        "kind": "efficiency",
        "owner": "dr.ada@example.org",
    }
    assert charter["task"]["positive"] == "malignant"
    assert charter["decide"]["costs"] == {"tp": 500, "fp": -50, "fn": -500, "tn": 0}
    assert "profit_per_1000 > 0" in charter["accept"]
    assert "Next: look at" in out


def test_leaving_leaves_nothing_behind(table, tmp_path):
    code, _, said = talk(
        ["init", tmp_path / "p", "--data", table, "--target", "diagnosis"], [("What is it for", "\x04")]
    )
    assert code == 2, said
    assert "interrupted" in said
    assert not (tmp_path / "p").exists()


def test_yes_and_json_ask_nothing(table, tmp_path):
    for number, words in enumerate((["--yes"], ["--json"])):
        code, out, said = talk(
            ["init", tmp_path / f"p{number}", "--data", table, "--target", "diagnosis", *words], []
        )
        assert code == 0, said
        assert "?" not in said
        assert "malignant" in (tmp_path / f"p{number}/vitok.yaml").read_text()
        assert "p" in out


def test_a_template_of_another_kind_of_task_is_refused(mistake, table, tmp_path):
    words = ["init", tmp_path / "p", "--data", table, "--target", "diagnosis", "--template"]
    mistake(*words, "demand", says=["--template", "is for regression tasks, this one is binary"])
    mistake(*words, "chrun", says=["there is no template 'chrun'", "churn"])
    assert not (tmp_path / "p").exists()
