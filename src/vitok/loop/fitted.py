"""What a turn keeps of a fitted model: its scores, and its graph; enough to go on without fitting it again."""

import io
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from vitok.errors import Refused
from vitok.kernel.clock import format_time
from vitok.loop.prepare import Prepared
from vitok.model.package import Graph, convert
from vitok.store.blobs import Blobs
from vitok.train.fit import Trained, predict_scores


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of parameters that a search has tried.

    Args:
        value: Of the main metric on the validation rows.
    """

    number: int
    parameters: dict[str, Any]
    value: float
    ended: datetime

    def as_json(self) -> dict[str, Any]:
        """The trial as JSON values."""
        return {**asdict(self), "ended": format_time(self.ended)}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted candidate or baseline.

    Args:
        metric, validation: The main metric and its value on the validation rows.
        trials: How many parameter sets were tried.
        on_validation, on_test: Scores of these rows, shape (n,) or (n, k).
        graph: The model as it can be shipped; None for a baseline, or if it cannot be.
        problem: Why it cannot be shipped; empty if it can.
        tried: The trials of its search.
    """

    name: str
    parameters: dict[str, Any]
    metric: str
    validation: float
    trials: int
    seconds: float
    on_validation: np.ndarray
    on_test: np.ndarray
    graph: Graph | None = None
    problem: str = ""
    tried: tuple[Trial, ...] = ()

    def held_out(self, prepared: Prepared) -> np.ndarray:
        """Scores of validation and test rows together, in the order of the snapshot."""
        rows = np.concatenate([prepared.parts.validation, prepared.parts.test])
        return np.concatenate([self.on_validation, self.on_test])[np.argsort(rows, kind="stable")]


def keep_fitted(prepared: Prepared, trained: Trained, tried: list[Trial], *, ships: bool) -> Fitted:
    """Takes from a fitted pipeline all that the rest of the turn needs.

    Args:
        ships: Whether it may become the bundle, and so needs a graph.
    """
    task, parts, encoded = prepared.classes.task, prepared.parts, prepared.encoded
    graph, problem = None, ""
    if ships:
        try:
            graph = convert(trained.pipeline, encoded[parts.test], dict(prepared.columns.kinds), task)
        except Refused as error:
            problem = str(error)
    return Fitted(
        trained.name,
        trained.parameters,
        trained.metric,
        trained.validation,
        trained.trials,
        trained.seconds,
        predict_scores(trained.pipeline, encoded[parts.validation], task),
        predict_scores(trained.pipeline, encoded[parts.test], task),
        graph,
        problem,
        tuple(tried),
    )


def store_fitted(blobs: Blobs, fitted: Fitted) -> dict[str, Any]:
    """Puts the large parts away, and gives the rest as JSON values."""
    graph = fitted.graph
    return {
        "name": fitted.name,
        "parameters": fitted.parameters,
        "metric": fitted.metric,
        "validation": fitted.validation,
        "trials": fitted.trials,
        "seconds": fitted.seconds,
        "on_validation": blobs.put(_packed(fitted.on_validation)),
        "on_test": blobs.put(_packed(fitted.on_test)),
        "graph": None
        if graph is None
        else {"content": blobs.put(graph.content), "output": graph.output, "parity": graph.parity},
        "problem": fitted.problem,
        "tried": [trial.as_json() for trial in fitted.tried],
    }


def load_fitted(blobs: Blobs, stored: dict[str, Any]) -> Fitted:
    """The inverse of `store_fitted`.

    Raises:
        NotFound, Fault: what was put away is gone, or damaged.
    """
    graph = stored["graph"]
    return Fitted(
        **{
            name: stored[name] for name in ("name", "parameters", "metric", "validation", "trials", "seconds")
        },
        on_validation=_unpacked(blobs.get(stored["on_validation"])),
        on_test=_unpacked(blobs.get(stored["on_test"])),
        graph=None if graph is None else Graph(**{**graph, "content": blobs.get(graph["content"])}),
        problem=stored["problem"],
        tried=tuple(
            Trial(**{**trial, "ended": datetime.fromisoformat(trial["ended"])}) for trial in stored["tried"]
        ),
    )


def _packed(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _unpacked(content: bytes) -> np.ndarray:
    return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))
