"""How ready a project is, from an empty one on; and making a version again."""

import shutil

from commands import edit

SECTIONS = ("data", "model", "infrastructure", "monitoring")


def test_new_project_has_no_points_that_it_has_not_earned(vitok, drafted):
    found = vitok("maturity", "--project", drafted).json
    assert found["score"] <= 1
    assert [len(found["sections"][name]["tests"]) for name in SECTIONS] == [7, 7, 7, 7]
    assert found["levels"]["google"]["level"] == 0
    assert found["levels"]["microsoft"]["level"] == 0
    for name in SECTIONS:
        for proof in found["sections"][name]["tests"].values():
            assert proof["evidence"]
            assert proof["points"] in (0, 0.5, 1)
            assert bool(proof["remedy"]) == (proof["points"] < 1), proof
    assert found["next"]


def test_points_come_with_what_is_done_and_go_with_what_is_lost(vitok, released):
    def points(section, test):
        found = vitok("maturity", "--project", released).json
        return found["sections"][section]["tests"][test]["points"]

    assert points("infrastructure", "quality is judged before serving") == 1
    assert points("infrastructure", "training can be reproduced") == 0.5
    made = vitok("turns", "reproduce", "--project", released)
    assert made.code == 0
    assert made.json["same"]
    assert points("infrastructure", "training can be reproduced") == 1
    assert points("monitoring", "changed dependencies are noticed") == 0.5
    edit(released, lambda charter: charter["retrain"].update(on=["libraries"]))
    assert points("monitoring", "changed dependencies are noticed") == 1
    shutil.rmtree(released / ".vitok" / "blobs")
    assert points("infrastructure", "the model is tested as shipped") == 1  # it was, and that is on record
    assert points("data", "new features come quickly") == 0


def test_version_whose_data_or_charter_is_gone_cannot_be_made_again(vitok, mistake, released):
    mistake("turns", "reproduce", 9, "--project", released, says=["version 9", "does not exist"])
    shutil.rmtree(released / ".vitok" / "lake" / "snapshots")
    mistake("turns", "reproduce", "--project", released, says=["table snapshots", "does not exist"])
