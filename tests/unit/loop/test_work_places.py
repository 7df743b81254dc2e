"""What the work places show where something is missing: a bundle, a turn, a file, classes."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from rollouts import START, two_versions
from vitok.errors import Busy, NotFound, UserMistake
from vitok.govern import audit
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock, format_time
from vitok.loop.catalogue import search_versions, version_page
from vitok.loop.data_used import data_used
from vitok.loop.opinions import labels_agreement
from vitok.loop.released import release_as_asked, release_desk, rollout_page
from vitok.loop.replays import end_replay, list_replays, start_replay
from vitok.loop.rollback import roll_back_beside
from vitok.loop.rollout import end_by_hand
from vitok.loop.rollout_paths import kept_path, rollout_paths
from vitok.loop.rollout_picture import evidence_path
from vitok.loop.side_by_side import compare_versions
from vitok.registry import figures, labels, steps, turns
from vitok.registry.figures import Kept
from vitok.registry.labels import Label
from vitok.release.guards import Finding
from vitok.release.rollout import Evidence
from vitok.store.locks import hold
from vitok.store.schema import versions


@pytest.fixture
def project(tmp_path: Path) -> Any:
    made = two_versions(tmp_path, VirtualClock(START))
    with made.engine.begin() as connection:
        summary = {"algorithm": "linear", "test_rows": 9, "left_out": {}, "not_features": {}}
        connection.execute(versions.update().values(summary=summary))
    return made


def give(project: Any, row: str, *values: Any) -> None:
    with project.engine.begin() as connection:
        for number, value in enumerate(values):
            when = START + timedelta(minutes=number)
            assert labels.give(connection, Label(row, f"person {number}", value, when, START, 1)) is None


def test_a_version_whose_bundle_is_gone_still_has_its_page(project: Any) -> None:
    shutil.rmtree(project.folder / ".vitok" / "blobs")
    found = version_page(project, 1)
    assert found["card"] is None
    assert found["gone"]
    assert [each["epoch"] for each in found["releases"]] == [1]
    with pytest.raises(NotFound):
        compare_versions(project, 1, 2)


def test_baselines_and_candidates_are_those_of_the_turn(project: Any) -> None:
    fitted = {"name": "prior", "metric": "roc_auc", "validation": 0.5, "trials": 0, "seconds": 0.1, "more": 1}
    with project.engine.begin() as connection:
        turns.begin(connection, "t0.0", now=START, as_of=START, trigger="by hand", charter="c")
        steps.begin(connection, "t0.0", "baselines", START)
        steps.change(connection, "t0.0", "baselines", outputs={"fitted": [fitted]})
    found = version_page(project, 1)
    assert found["made_by"] == {"number": 1, "trigger": "by hand"}
    assert [(each["step"], each["name"]) for each in found["fitted"]] == [("baselines", "prior")]
    assert "more" not in found["fitted"][0]


def test_a_search_is_for_words_in_whatever_case(project: Any) -> None:
    assert [each["version"] for each in search_versions(project, "LINEAR")["versions"]] == [2, 1]
    assert [each["version"] for each in search_versions(project, "champion")["versions"]] == [1]
    assert search_versions(project, "zebra") == {"versions": [], "metric": "roc_auc", "total": 2}


def test_two_versions_beside_each_other_keep_what_only_one_has(project: Any) -> None:
    with project.engine.begin() as connection:
        mine = versions.update().where(versions.c.number == 2)
        connection.execute(mine.values(metrics={"roc_auc": {"value": 0.7, "low": 0.6, "high": 0.8}}))
    found = compare_versions(project, 1, 2)
    assert found["metrics"] == [
        {"name": "roc_auc", "first": None, "second": {"value": 0.7, "low": 0.6, "high": 0.8}}
    ]


def test_data_says_so_where_the_expectations_are_missing_or_broken(project: Any) -> None:
    assert data_used(project)["expectations"]["problem"] == "there is no such file yet"
    (project.folder / "expectations.yaml").write_text("columns: {temp: {type: colour}}\n")
    assert "temp" in data_used(project)["expectations"]["problem"]
    (project.folder / "expectations.yaml").write_bytes(b"\xff\xfe")
    assert data_used(project)["expectations"]["problem"]


def test_columns_have_the_roles_of_the_charter(project: Any) -> None:
    roles = {each["role"]: each["column"] for each in data_used(project)["columns"]}
    assert roles == {"id": "flight", "target": "late", "time": "departure", "entity": "tail"}


def test_only_the_first_two_labels_of_a_row_are_compared(project: Any) -> None:
    give(project, "a", True, True, False)
    give(project, "b", False)
    found = labels_agreement(project)
    assert (found["labels"], found["rows"], found["pairs"]) == (4, 2, 1)
    assert found["share"]["value"] == 1.0
    assert found["kappa"] is None
    assert found["differing"] == []


def test_of_numbers_the_mean_difference_is_told(project: Any) -> None:
    give(project, "a", 1.0, 3.0)
    give(project, "b", 2.0, 2.5)
    charter = project.charter
    task = charter.task.model_copy(update={"type": "regression"})
    document = replace(project.document, charter=charter.model_copy(update={"task": task}))
    found = labels_agreement(replace(project, document=document))
    assert found["difference"] == 1.25
    assert (found["share"], found["kappa"]) == (None, None)


def test_a_label_stays_what_it_was(project: Any) -> None:
    give(project, "a", True)
    with project.engine.begin() as connection:
        before = labels.give(connection, Label("a", "person 0", False, START, START, 1))
        assert before is not None
        assert before.value is True
        assert [label.id for label in labels.given_once(connection, 10)] == ["a"]
        assert labels.of_ids(connection, ["a", "b"]) == [before]


def test_what_can_be_released_is_accepted_and_not_in_force(project: Any) -> None:
    found = release_desk(project)
    assert [each["version"] for each in found["candidates"]] == [2]
    assert (found["under_way"], found["away"]) == (None, None)
    assert found["in_force"]["arms"] == [{"version": 1, "role": "champion", "share": 1.0}]
    with pytest.raises(UserMistake, match="is not known"):
        release_as_asked(project, 2, strategy="hope", flag=None, actor="ada")
    release_as_asked(project, 2, strategy=None, flag=None, actor="ada")
    found = release_desk(project)
    assert (found["under_way"], found["away"]) == (1, 2)
    assert [arm["share"] for arm in found["in_force"]["arms"]] == [0.9, 0.1]


@pytest.fixture
def asked(monkeypatch: Any) -> list[int]:
    """The roll-outs whose evidence was reckoned, which has a point at each reckoning."""
    found: list[int] = []

    def path(project: Any, journal: Any, rollout: Any) -> Any:
        found.append(rollout.number)
        finding = Finding("errors", 0.1, False, False, float("inf"), 3.0, None, None, 0.0, 0.0, len(found))
        yield START, Evidence((finding,), None, None, 0, 0, 0, "")

    monkeypatch.setattr("vitok.loop.rollout_paths.evidence_path", path)
    return found


def reckon(project: Any) -> Any:
    found = rollout_paths(project)
    with project.engine.begin() as connection:
        figures.keep(connection, "rollouts", Kept("", START, {"figure": found}))
    return found


def test_evidence_is_reckoned_until_a_roll_out_has_ended_and_once_more(
    project: Any, asked: list[int]
) -> None:
    assert kept_path(project, 1) == []
    release_as_asked(project, 2, strategy="canary", flag=None, actor="ada")
    assert reckon(project)["over"] == []
    reckon(project)
    assert asked == [1, 1]
    end_by_hand(project, actor="ada", reason="enough")
    assert reckon(project)["over"] == ["1"]
    assert asked == [1, 1, 1]  # what happened until its end is there
    assert reckon(project)["over"] == ["1"]
    assert asked == [1, 1, 1]
    moment = format_time(START)
    assert kept_path(project, 1) == [{"time": moment, "guard": "errors", "evidence": None, "boundary": 3.0}]
    assert kept_path(project, 2) == []


def test_a_picture_reads_the_rows_of_its_roll_out_once_and_none_of_later(project: Any) -> None:
    release_as_asked(project, 2, strategy="canary", flag=None, actor="ada")
    project.clock.move_to(START + timedelta(hours=1))
    ended = end_by_hand(project, actor="ada", reason="enough").rollout
    assert ended is not None
    spans = []

    class Journal(MemoryLedger):
        def since(self, start: Any, end: Any = None, *, with_inputs: bool = False) -> Any:
            spans.append((start, end))
            return super().since(start, end, with_inputs=with_inputs)

    assert len(list(evidence_path(project, Journal(), ended))) == 40
    assert set(spans) == {(START - timedelta(hours=1), START + timedelta(hours=1))}


def test_the_list_of_roll_outs_asks_no_more_the_more_there_are(project: Any) -> None:
    def queries() -> int:
        asked = []
        event.listen(project.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
        release_desk(project)
        return len(asked)

    before = queries()
    release_as_asked(project, 2, strategy="canary", flag=None, actor="ada")
    assert queries() == before


def test_a_rollback_leaves_the_connections_of_its_process_as_they_were(project: Any) -> None:
    def patience() -> int:
        with project.engine.connect() as connection:
            return int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one())

    before = patience()
    release_as_asked(project, 2, strategy="canary", flag=None, actor="ada")
    assert roll_back_beside(project, actor="ada", reason="smoke")["strategy"] == "rollback"
    assert patience() == before > 500
    assert rollout_page(project, 1)["state"] == "aborted"


def test_of_two_who_start_a_replay_at_once_one_is_told_to_wait(project: Any, monkeypatch: Any) -> None:
    started: list[Any] = []
    monkeypatch.setattr("vitok.loop.replays.detached.start", lambda folder, command: started.append(command))
    folder = project.state / "replays"
    (folder / "just being made").mkdir(parents=True)
    with hold(folder / "lock", "replay"), pytest.raises(Busy):
        start_replay(project, "never", actor="ada")
    assert list_replays(project) == {"replays": []}
    name = start_replay(project, "never\nmonthly", actor="ada")["name"]
    assert [each["name"] for each in list_replays(project)["replays"]] == [name]
    assert started[0][-2:] == ["--policy=never", "--policy=monthly"]
    end_replay(project, name, actor="ada")
    with project.engine.connect() as connection:
        assert list(audit.lines(connection, action="end replay")) == []  # it did not run
