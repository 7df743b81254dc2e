"""Outputs of the Open Inference Protocol V2 for those who ask: how sure each answer is, and what made its score."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from vitok.errors import RequestMistake
from vitok.model.bundle import Manifest
from vitok.serve.deployment import Deployment
from vitok.serve.intervals import intervals_of
from vitok.serve.predict import Answer
from vitok.serve.tensors import Output

INTERVAL, EXPLANATION = "interval", "explanation"
LEVEL = "interval_level"
_LOW, _HIGH, _CLASSES = "interval_low", "interval_high", "interval_classes"


def extra_shapes(manifest: Manifest) -> dict[str, dict[str, tuple[str, list[int]]]]:
    """For each question that a request may ask: datatype and shape of the outputs that answer it, by name."""
    if manifest.classes and manifest.positive is None:
        interval = {_CLASSES: ("BYTES", [-1])}
    else:
        interval = {_LOW: ("FP64", [-1]), _HIGH: ("FP64", [-1])}
    return {INTERVAL: interval, EXPLANATION: {EXPLANATION: ("BYTES", [-1])}}


def wanted_by(parameters: Mapping[str, Any], manifest: Manifest) -> list[str]:
    """The extra outputs that the parameters of a request ask for.

    Raises:
        RequestMistake: a question is neither true nor false.
    """
    found: list[str] = []
    for question, outputs in extra_shapes(manifest).items():
        asked = parameters.get(question, False)
        if not isinstance(asked, bool):
            raise RequestMistake(f"parameters.{question}", f"is {asked!r}", "Send true or false.")
        found += outputs if asked else ()
    return found


def asks_intervals(outputs: Mapping[str, bool]) -> bool:
    """Whether one of the outputs to send needs intervals."""
    return not outputs.keys().isdisjoint((_LOW, _HIGH, _CLASSES))


def interval_outputs(deployment: Deployment, answer: Answer) -> tuple[list[Output], float | None]:
    """How sure each answer is; NaN, or an empty text, where that is not known.

    Returns:
        All outputs of intervals, and the level that they hold; None if no version could tell.
    """
    found = intervals_of(deployment, answer.records[: len(answer.predictions)])
    known: list[dict[str, Any]] = [{} if each is None else each for each in found]
    shape = [len(found)]
    ends = [
        Output(name, "FP64", shape, np.array([each.get(end, np.nan) for each in known], dtype=np.float64))
        for name, end in ((_LOW, "low"), (_HIGH, "high"))
    ]
    texts = [_text(each.get("classes")) for each in known]
    level = next((each["level"] for each in known if each), None)
    return [*ends, Output(_CLASSES, "BYTES", shape, texts)], level


def explanation_output(explanations: Sequence[dict[str, Any] | None]) -> Output:
    """What made each score, as JSON; an empty text where no model scored the row."""
    return Output(EXPLANATION, "BYTES", [len(explanations)], [_text(each) for each in explanations])


def _text(value: Any) -> str:
    return "" if value is None else msgspec.json.encode(value).decode()
