"""A gate that asks a person: the version waits, the right person answers, and the answer stands on record."""

import shutil
from pathlib import Path

import pytest

from commands import edit, run_vitok

pytestmark = pytest.mark.xdist_group("approvals")  # one worker runs the turn, not both
ASK = 'accept:\n  - ask(domain_expert, "Is it plausible?")\n'


@pytest.fixture(scope="module")
def waiting_once(drafted_once, tmp_path_factory):
    folder = Path(shutil.copytree(drafted_once, tmp_path_factory.mktemp("waiting") / "cancer"))
    path = folder / "vitok.yaml"
    text = path.read_text().replace("accept:", ASK.rstrip("\n"), 1)
    path.write_text(text.replace("team: {}", "team: {ada: [data_scientist], olga: [domain_expert]}"))
    answer = run_vitok("run", "--quick", "--project", folder)
    assert answer.code == 3
    assert answer.json["verdict"] == "waiting"
    return folder


@pytest.fixture
def waiting(waiting_once, tmp_path):
    return Path(shutil.copytree(waiting_once, tmp_path / "cancer"))


def test_version_waits_until_the_right_person_agrees(vitok, mistake, waiting):
    here = ["--project", waiting]
    (asked,) = vitok("approvals", *here).json["approvals"]
    assert (asked["id"], asked["role"], asked["answer"]) == ("1.1", "domain_expert", None)
    mistake("release", 1, *here, code=3, says=["'waiting'", "vitok approve"])
    mistake("approve", "1.1", *here, "--as", "ada", code=3, says=["ada", "no domain_expert", "olga"])
    mistake("approve", "1.7", *here, says=["'1.7'", "does not exist", "Open: 1.1"])
    mistake("reject", "1.1", *here, "--as", "olga", says=["--reason", "a no needs a reason"])
    answer = vitok("approve", "1.1", *here, "--as", "olga", "--reason", "fits the guideline")
    assert answer.json["verdict"] == "accepted"
    mistake("approve", "1.1", *here, "--as", "olga", says=["was answered with yes by olga"])
    assert vitok("release", 1, *here).code == 0
    gates = vitok("card", 1, *here).json["gates"]
    assert gates[0]["reason"] == "olga (domain expert) said yes: fits the guideline"


def test_no_refuses_the_version(vitok, mistake, waiting):
    here = ["--project", waiting]
    answer = vitok("reject", "1.1", *here, "--as", "olga", "--reason", "wrong sign")
    assert answer.json["verdict"] == "refused"
    mistake("release", 1, *here, code=3, says=["'refused'", "olga (domain expert) said no: wrong sign"])


def test_answer_to_a_verdict_that_another_champion_has_overtaken_is_refused(vitok, mistake, waiting):
    here = ["--project", waiting]
    edit(waiting, lambda charter: charter["accept"].pop(0))
    assert vitok("run", "--quick", *here).code == 0
    assert vitok("release", 2, *here).code == 0
    mistake(
        "approve",
        "1.1",
        *here,
        "--as",
        "olga",
        code=3,
        says=["version 2 is in production now", "Run a new turn"],
    )
