"""Second estimates of windows without labels: of a project's own versions, and why there is none."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from examples import CARRIERS, manifest
from rollouts import START, two_versions
from vitok.kernel.clock import VirtualClock
from vitok.loop import reweighing
from vitok.loop.reweighing import Reweigher
from vitok.stats.scores import Scored


class Inputs:
    """A journal of which only inputs are asked."""

    def __init__(self, frame):
        self._frame = frame

    def inputs(self, frame, kinds):
        return self._frame[frame["place"].to_list()].select(list(kinds))


def rows(count, share, seed):
    """Flights; those of UA are late less often than their scores say, others more often."""
    rng = np.random.default_rng(seed)
    carrier = np.where(rng.random(count) < share, "UA", "AA")
    score = rng.uniform(0.05, 0.95, count)
    chance = score + np.where(carrier == "UA", -0.3, 0.3) * (0.5 - np.abs(score - 0.5))
    frame = pl.DataFrame(
        {
            "temp": rng.normal(size=count),
            "distance": rng.integers(100, 3000, count),
            "carrier": carrier,
            "holiday": rng.random(count) < 0.1,
            "score": score,
            "place": np.arange(count),
        }
    )
    return frame, (rng.random(count) < chance).astype(np.int64)


@pytest.fixture
def project(tmp_path):
    found = two_versions(tmp_path, VirtualClock(START))
    yield found
    found.engine.dispose()


def test_a_window_of_other_rows_is_estimated_by_rows_like_them(project, monkeypatch):
    frame, truth = rows(6000, 0.5, 1)
    scores = frame["score"].to_numpy()
    judged = SimpleNamespace(
        manifest=manifest(),
        frame=frame,
        parts=SimpleNamespace(test=np.arange(frame.height)),
        scored=Scored("binary", truth, scores, (scores >= 0.5).astype(np.int64)),
    )
    asked = []
    monkeypatch.setattr(
        reweighing, "rejudge", lambda project, version: asked.append(version.number) or judged
    )
    reweigher = Reweigher(project)
    window, late = rows(2000, 0.95, 2)
    found = reweigher.metrics(2, window, Inputs(window), ["accuracy", "profit_per_1000", "pr_auc", "mape"])
    right = ((window["score"].to_numpy() >= 0.5) == late).mean()
    assert found["accuracy"]["low"] <= right <= found["accuracy"]["high"]
    assert found["accuracy"]["method"] == "calibrated for these rows"
    assert found["profit_per_1000"]["low"] < found["profit_per_1000"]["high"]
    assert "cannot be estimated" in found["mape"]["undecidable"]
    reweigher.metrics(2, window, Inputs(window), ["accuracy"])
    assert asked == [2]  # its rows are read once


def test_rows_that_are_not_kept_are_said_of_each_metric(project):
    window, _ = rows(500, 0.5, 3)
    found = Reweigher(project).metrics(1, window, Inputs(window), ["roc_auc", "recall"])
    assert set(found) == {"roc_auc", "recall"}
    assert "version 1 was judged on cannot be read: its rows were not kept" in found["recall"]["undecidable"]


def test_a_window_of_few_rows_says_so(project):
    window, _ = rows(60, 0.5, 4)
    frame, truth = rows(1000, 0.5, 5)
    known = reweighing.KnownRows(
        Scored("binary", truth, frame["score"].to_numpy()),
        *reweighing.input_matrix(frame, manifest().inputs),
    )
    given = reweighing.JudgedRows(manifest(threshold=0.4), known)
    found = Reweigher(project, {1: given}).metrics(1, window, Inputs(window), ["roc_auc"])
    assert "60 rows of the window are too few" in found["roc_auc"]["undecidable"]
    assert set(CARRIERS) >= set(window["carrier"])
