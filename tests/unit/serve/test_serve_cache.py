import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import FLIGHT, flight_bundle
from vitok.model.runtime import load_model
from vitok.model.schema import RequestSchema
from vitok.serve.cache import ScoreCache
from vitok.store.blobs import Blobs


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    return load_model(blobs, flight_bundle(blobs))


class Counting:
    """A model that counts the rows that it is asked for."""

    def __init__(self, model):
        self.manifest = model.manifest
        self.asked = 0
        self._model = model

    def score(self, rows):
        self.asked += len(rows)
        return self._model.score(rows)


def rows(model, *distances, **more):
    schema = RequestSchema(model.manifest)
    return schema.check([FLIGHT | {"distance": distance} | more for distance in distances])


def test_same_inputs_are_scored_once_whatever_their_ids(model):
    counting = Counting(model)
    cache = ScoreCache(counting, 10, 60)
    first = cache.score(rows(model, 1, 2, flight="A"))
    again = cache.score(rows(model, 2, 3, 1, flight="B"))
    assert counting.asked == 3
    assert again[[2, 0]].tolist() == first.tolist()


def test_least_asked_and_oldest_go(model, monkeypatch):
    now = 100.0
    monkeypatch.setattr("vitok.serve.cache.time.monotonic", lambda: now)
    counting = Counting(model)
    cache = ScoreCache(counting, 2, 60)
    for distance in (1, 2, 1, 3, 1):
        cache.score(rows(model, distance))
    assert counting.asked == 3
    cache.score(rows(model, 2))
    assert counting.asked == 4
    now = 161.0
    cache.score(rows(model, 2))
    assert counting.asked == 5


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6), max_size=8))
def test_scores_are_those_of_the_model(model, requests):
    cache = ScoreCache(model, 3, 60)
    for distances in requests:
        asked = rows(model, *distances)
        np.testing.assert_array_equal(cache.score(asked), model.score(asked))
