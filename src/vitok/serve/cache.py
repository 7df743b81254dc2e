"""Scores of one version, remembered by the content of its inputs."""

import threading
import time
from collections import OrderedDict
from typing import Any

import numpy as np

from vitok.model.runtime import Model, Scores
from vitok.model.schema import Rows


class ScoreCache:
    """Remembers scores of one model; another version has another cache, so that they never mix.

    Args:
        model: Whose scores they are.
        rows: How many are kept; those that were not asked for longest go.
        seconds: How long one is kept, at most.
    """

    def __init__(self, model: Model, rows: int, seconds: float) -> None:
        self._model = model
        self._names = tuple(field.name for field in model.manifest.inputs)
        self._rows = rows
        self._seconds = seconds
        self._known: OrderedDict[Any, tuple[float, Any]] = OrderedDict()
        self._guard = threading.Lock()  # large requests are scored in threads

    def score(self, rows: Rows) -> Scores:
        """Scores rows, those that are known without asking the model; as `Model.score`."""
        read = rows.schema.reader(self._names)
        keys = [read(row) for row in rows.found]
        now = time.monotonic()
        with self._guard:
            found = [self._look(key, now) for key in keys]
        missing = [place for place, score in enumerate(found) if score is None]
        if missing:
            scores = self._model.score(rows.part(missing))
            with self._guard:
                for place, score in zip(missing, scores, strict=True):
                    found[place] = score
                    self._keep(keys[place], score, now)
        return np.asarray(found, dtype=np.float64)

    def _look(self, key: Any, now: float) -> Any:
        entry = self._known.get(key)
        if entry is None:
            return None
        if now - entry[0] > self._seconds:
            del self._known[key]
            return None
        self._known.move_to_end(key)
        return entry[1]

    def _keep(self, key: Any, score: Any, now: float) -> None:
        self._known[key] = (now, score)
        self._known.move_to_end(key)
        while len(self._known) > self._rows:
            self._known.popitem(last=False)
