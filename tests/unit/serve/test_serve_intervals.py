import pytest
from test_serve_app import post

from examples import FLIGHT, flight_bundle, write_plan
from vitok.release.policy import Policy
from vitok.stats.conformal import Intervals
from vitok.store.blobs import Blobs

SHARES = Intervals(0.9, (0.5,), (0.12345, 0.61111), (0.3, 0.82222))


def _bundle(home, table, output="binary", **changes):
    return flight_bundle(Blobs(home / "blobs"), 0.0, output, table, **changes)


def _ask(home, rows, query="?interval=true", verb="predict"):
    return post(home, f"/models/flights/{verb}{query}", {"rows": rows})


def test_shares_come_on_request_only(tmp_path):
    write_plan(tmp_path, _bundle(tmp_path, SHARES))
    rows = [FLIGHT, FLIGHT | {"temp": 60.0}]
    high, low = _ask(tmp_path, rows).json()["predictions"]
    assert high["score"] > 0.5 > low["score"]
    assert high["interval"] == {"level": 0.9, "low": 0.61111, "high": 0.82222}
    assert low["interval"] == {"level": 0.9, "low": 0.12345, "high": 0.3}
    for query in ("", "?interval=false"):
        assert "interval" not in _ask(tmp_path, rows, query).json()["predictions"][0]
    explained = _ask(tmp_path, rows, verb="explain").json()["predictions"][0]
    assert {"interval", "explanation"} <= set(explained)


def test_values_are_given_around_the_prediction_and_rounded_outwards(tmp_path):
    table = Intervals(0.8, (), (-1.0,), (2.0,))
    digest = _bundle(tmp_path, table, "value", task="regression", classes=[], positive=None, threshold=None)
    write_plan(tmp_path, digest, policy=Policy(decimals=1))
    (found,) = _ask(tmp_path, [FLIGHT]).json()["predictions"]
    exact = _ask(tmp_path, [FLIGHT], "").json()["predictions"][0]["score"]
    interval = found["interval"]
    assert interval["low"] <= exact - 0.9
    assert interval["high"] - interval["low"] in (pytest.approx(3.0), pytest.approx(3.1))


def test_several_classes_give_the_set_of_those_that_it_may_be(tmp_path):
    table = Intervals(0.95, (), (), (), 0.1)
    digest = _bundle(tmp_path, table, "three", classes=["a", "b", "c"], positive=None)
    write_plan(tmp_path, digest)
    (found,) = _ask(tmp_path, [FLIGHT]).json()["predictions"]
    likely = [name for name, share in found["scores"].items() if share >= 0.1]
    assert found["interval"] == {"level": 0.95, "classes": likely}


def test_a_version_without_a_table_answers_without(tmp_path):
    write_plan(tmp_path, _bundle(tmp_path, None))
    answer = _ask(tmp_path, [FLIGHT])
    assert answer.status_code == 200
    assert "interval" not in answer.json()["predictions"][0]


@pytest.mark.parametrize("query", ["?interval=maybe", "?intervals=true", "?interval", "?x=%ff&interval=true"])
def test_an_unknown_question_is_refused_with_what_may_be_asked(tmp_path, query):
    write_plan(tmp_path, _bundle(tmp_path, SHARES))
    answer = _ask(tmp_path, [FLIGHT], query)
    assert answer.status_code == 400
    assert "interval=true" in answer.json()["error"]
