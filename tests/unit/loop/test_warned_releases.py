"""What a release tells that would go wrong later: inputs that callers do not send, and nobody who decides."""

from datetime import timedelta

import pytest

from examples import WEIGHTS, flight_graph, manifest
from rollouts import START, two_versions
from vitok.errors import UserMistake
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.loop.released import release_as_asked
from vitok.loop.rollout import end_by_hand, release_version
from vitok.model.bundle import Field, store_bundle
from vitok.registry import releases
from vitok.store.heartbeat import Heartbeat, write_heartbeat
from vitok.wire import open_project


def bundles(second):
    """The second version takes other inputs than the first."""

    def bundle(blobs, bias):
        inputs = manifest().inputs if bias == 0 else second(manifest().inputs)
        numbers = [field.name for field in inputs if field.kind != "category"]
        graph = flight_graph({name: WEIGHTS.get(name, 0.1) for name in numbers}, bias)
        return store_bundle(blobs, manifest(inputs=inputs, features=inputs), {"model.onnx": graph})

    return bundle


def windy(inputs):
    return [*inputs, Field("wind", "number", nullable=False, example=3.0)]


def strict(inputs):
    return [Field("temp", "number", nullable=False, example=4.5), *inputs[1:]]


def made(folder, second):
    said = []
    project = two_versions(folder, VirtualClock(START), bundle=bundles(second))
    object.__setattr__(project, "say", said.append)
    return project, said


def released(project, strategy):
    return release_version(project, MemoryLedger(), 2, strategy=strategy, actor="ada")


@pytest.mark.parametrize("strategy", ["canary", "immediate", "blue-green", "shadow"])
@pytest.mark.parametrize(("second", "told"), [(windy, "requires wind"), (strict, "without temp")])
def test_inputs_that_callers_do_not_send_are_told_of(tmp_path, second, told, strategy):
    project, said = made(tmp_path, second)
    found = released(project, strategy)
    (warning,) = found.as_json()["warnings"]
    assert said.count(f"warning: {warning}") == 1
    assert told in warning
    refused = strategy in ("immediate", "blue-green")
    assert ("are refused" in warning) == refused
    assert ("answered by the champion" in warning) != refused


@pytest.mark.parametrize("strategy", ["immediate", "blue-green"])
def test_no_charter_lets_all_callers_of_today_be_refused(tmp_path, strategy):
    project, _ = made(tmp_path, windy)
    text = (tmp_path / "vitok.yaml").read_text().replace("strategy: canary", f"strategy: {strategy}")
    (tmp_path / "vitok.yaml").write_text(text)
    project = open_project(tmp_path, clock=project.clock)
    with pytest.raises(UserMistake, match="requires wind, which requests for version 1 do not have"):
        released(project, None)
    with project.engine.connect() as connection:
        assert releases.current(connection).version == 1
    assert released(project, strategy).release.version == 2


def test_the_way_back_is_open_whatever_it_demands(tmp_path):
    project, _ = made(tmp_path, lambda inputs: inputs[1:])
    assert released(project, "immediate").warnings == ()
    assert end_by_hand(project, actor="ada", reason="smoke").release.version == 1


@pytest.mark.parametrize(("seconds", "is_missing"), [(None, True), (61, True), (30, False)])
def test_a_roll_out_that_nobody_decides_is_told_of(tmp_path, seconds, is_missing):
    project, said = made(tmp_path, list)
    if seconds is not None:
        seen = project.clock() - timedelta(seconds=seconds)
        write_heartbeat(project.state, Heartbeat(seen.timestamp()))
    found = release_as_asked(project, 2, strategy="canary", flag=None, actor="ada")
    assert [line for line in said if "Nothing decides" in line] == [
        f"warning: {each}" for each in found["warnings"]
    ]
    assert len(found["warnings"]) == is_missing
    if seconds == 61:
        assert "was last seen at 2013-02-28T23:58:59Z" in found["warnings"][0]


def test_a_version_that_gets_everything_at_once_needs_nobody(tmp_path):
    project, _ = made(tmp_path, list)
    found = release_as_asked(project, 2, strategy="immediate", flag=None, actor="ada")
    assert found["warnings"] == []
