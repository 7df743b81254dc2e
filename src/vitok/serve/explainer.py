"""Predictions with explanations, at an address of their own: they cost up to a thousand scores a row."""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from vitok.journal.records import Prediction
from vitok.model.bundle import REFERENCE
from vitok.model.schema import Rows
from vitok.serve.deployment import Deployment, Served
from vitok.serve.explain import MAX_ROWS, Row, explain_row, typical_row
from vitok.serve.http import HttpProblem, Response
from vitok.serve.predict import Answer
from vitok.serve.trouble import Asked, Trouble, no_records
from vitok.store.blobs import Blobs

_KEPT = 16


def require_explainable(rows: Rows) -> Rows:
    """The rows, unless there are too many to explain.

    Raises:
        HttpProblem: 413.
    """
    if len(rows) > MAX_ROWS:
        text = f"rows: {len(rows)} rows, at most {MAX_ROWS} with explanations. Send several requests"
        raise HttpProblem(413, text)
    return rows


class Explainer:
    """Explains answers by the models that gave them.

    Args:
        blobs: Where the bundles' references lie.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._typical: dict[str, dict[str, Any]] = {}

    def explained(self, deployment: Deployment, rows: Rows, answer: Answer, response: Response) -> Response:
        """The response of the row API with an `explanation` in each prediction that a model scored."""
        content = msgspec.json.decode(response.body)
        found = self.explanations(deployment, rows, answer)
        for shown, explanation in zip(content["predictions"], found, strict=True):
            if explanation is not None:
                shown["explanation"] = explanation
        return response._replace(body=msgspec.json.encode(content))

    def explanations(self, deployment: Deployment, rows: Rows, answer: Answer) -> list[dict[str, Any] | None]:
        """What made the score of each row; None where no model that is in production scored it."""
        found: list[dict[str, Any] | None] = []
        for row, prediction in zip(rows, answer.predictions, strict=True):
            served = deployment.find(prediction.version)
            if served is None or prediction.score is None:
                found.append(None)
            else:
                found.append(self._explain(deployment.trouble, served, row, prediction))
        return found

    def _explain(self, trouble: Trouble, served: Served, row: Row, prediction: Prediction) -> dict[str, Any]:
        names = [field.name for field in served.model.manifest.inputs]
        background = self._background(served)
        given = {name: row.get(name) for name in names}
        found = explain_row(_scorer(trouble, served, prediction), given, background, names)
        explained: dict[str, Any] = {"base": found.base, "contributions": found.contributions}
        if isinstance(prediction.score, list):
            place = int(np.argmax(prediction.score))
            explained["class"] = served.model.manifest.classes[place]
        return explained | {"method": found.method, "typical_row": background}

    def _background(self, served: Served) -> dict[str, Any]:
        digest = served.arm.digest
        if digest not in self._typical:
            manifest = served.model.manifest
            file = manifest.files.get(REFERENCE)
            reference = None if file is None else msgspec.json.decode(self._blobs.get(file))
            row = typical_row(manifest.inputs, reference)
            (checked,) = served.schema.check([row])  # times in the form that rows have after their check
            if len(self._typical) >= _KEPT:
                self._typical.clear()
            self._typical[digest] = {name: checked[name] for name in row}
        return self._typical[digest]


def _scorer(trouble: Trouble, served: Served, prediction: Prediction) -> Any:
    """Scores of rows; with several classes, those of the likeliest class of the prediction."""
    place = int(np.argmax(prediction.score)) if isinstance(prediction.score, list) else None

    def score(rows: list[dict[str, Any]]) -> npt.NDArray[np.float64]:
        trouble.asking(Asked(served.arm.digest, no_records))
        try:
            scores = served.model.score(served.schema.check(rows))
        finally:
            trouble.answered()
        return scores if place is None else scores[:, place]

    return score
