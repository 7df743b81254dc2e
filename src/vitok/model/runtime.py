"""Running a bundle: verified bytes, an ONNX session, the feature function, scores and decisions."""

import json
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vitok.errors import DataMistake, Fault, UserMistake
from vitok.kernel.clock import parse_time
from vitok.model.bundle import FEATURES, INTERVALS, MODEL, Field, Manifest, load_manifest
from vitok.model.features import FeatureFunction, load_feature_function
from vitok.model.schema import RequestSchema, Rows
from vitok.stats.conformal import Intervals
from vitok.store.blobs import Blobs

if TYPE_CHECKING:
    import polars as pl

Scores = npt.NDArray[np.float64]
Columns = dict[str, npt.NDArray[Any]]
NUMBERS = (
    "vitok.numbers"  # the graph's input for all numbers at once, and the metadata that names its columns
)
_CHUNK = 50_000


def load_model(blobs: Blobs, digest: str, threads: int = 1, version: int | None = None) -> "Model":
    """Loads a bundle and verifies every byte that will be executed.

    Args:
        threads: Threads that one prediction may use.
        version: Its number, for messages.

    Raises:
        NotFound: the bundle or one of its files is not in the store.
        Fault: a byte differs from its digest, or the graph does not fit the manifest.
    """
    manifest = load_manifest(blobs, digest)
    name = f"model {manifest.project}" + (f" version {version}" if version is not None else f" {digest[:12]}")
    session = _open_session(name, blobs.get(manifest.files[MODEL]), threads)
    function = None
    if manifest.feature_function is not None:
        source = blobs.get(manifest.files[FEATURES]).decode()
        function = _load_function(name, source, manifest.feature_function, digest)
    expected, actual = {f.name for f in manifest.features}, _graph_inputs(session)
    if not actual <= expected or manifest.output not in {node.name for node in session.get_outputs()}:
        raise Fault(name, "the graph does not fit the manifest", "Register the version again.")
    table = manifest.files.get(INTERVALS)
    intervals = None if table is None else Intervals.from_json(json.loads(blobs.get(table)))
    return Model(manifest, digest, session, function, name, actual, intervals)


def joined_numbers(session: Any) -> list[str]:
    """The columns of a session's matrix input, in order; empty if it has none."""
    found = session.get_modelmeta().custom_metadata_map.get(NUMBERS)
    return [] if found is None else list(json.loads(found))


def _graph_inputs(session: Any) -> set[str]:
    names = {node.name for node in session.get_inputs()}
    return names - {NUMBERS} | set(joined_numbers(session)) if NUMBERS in names else names


class Model:
    """A bundle that is ready to predict; safe to use from several threads.

    Args:
        name: How messages call it.
        used: Names of the features that the graph really takes (a converter drops those without effect).
        intervals: How sure its scores are; None if the rows to judge were too few to tell.
    """

    def __init__(
        self,
        manifest: Manifest,
        digest: str,
        session: Any,
        function: FeatureFunction | None,
        name: str,
        used: set[str],
        intervals: Intervals | None = None,
    ) -> None:
        self.manifest = manifest
        self.digest = digest
        self.name = name
        self.intervals = intervals
        self._session = session
        self._function = function
        self._features = [field for field in manifest.features if field.name in used]
        self._joined = joined_numbers(session)
        self._numbers = self._joined or [field.name for field in self._features if field.kind != "category"]
        self._categories = [field.name for field in self._features if field.kind == "category"]
        self._outputs = [manifest.output]

    def score_frame(self, frame: "pl.DataFrame") -> Scores:
        """Scores the rows of a frame.

        Returns:
            Shape (n,): probability of the positive class (binary) or value (regression); (n, k) for
            multiclass.

        Raises:
            DataMistake: an input is missing from the frame or has another type.
            Fault: the model or its feature function fails.
        """
        inputs = input_frame(self.manifest.inputs, frame)
        parts = [self._run(columns, n) for columns, n in self._chunks(inputs)]
        return (
            np.concatenate(parts) if parts else self._shape(np.empty((0, max(len(self.manifest.classes), 1))))
        )

    def score(self, rows: Rows) -> Scores:
        """Scores checked rows; the fast way for requests.

        Returns, raises: As `score_frame`.
        """
        if self._function is not None:
            return self.score_frame(frame_of_rows(self.manifest.inputs, list(rows)))
        matrix = rows.matrix(self._numbers)
        columns: Columns = {}
        if self._joined:
            columns[NUMBERS] = matrix
        elif self._numbers:
            # One array for all numbers takes half the time of one for each.
            columns = dict(zip(self._numbers, np.ascontiguousarray(matrix.T)[:, :, np.newaxis], strict=True))
        for name in self._categories:
            columns[name] = np.array([[value or ""] for value in rows.values(name)], dtype=object)
        return self._run(columns, len(rows))

    def decide(self, scores: Scores) -> list[Any]:
        """Decisions: the class from the threshold (binary), the likeliest class, or the value itself."""
        manifest = self.manifest
        classes = manifest.classes
        if not classes:
            return list(scores.tolist())
        if manifest.positive is None:
            return [classes[code] for code in class_codes(manifest, scores).tolist()]
        # As `class_codes` says, without the price of arrays for a few rows.
        limit, yes, no = threshold_of(manifest), classes[manifest.positive], classes[1 - manifest.positive]
        return [yes if score >= limit else no for score in scores.tolist()]

    def warm_up(self) -> None:
        """Makes one prediction from the examples of the manifest, so that the first caller does not wait."""
        self.decide(self.score(self.example()))

    def example(self) -> Rows:
        """One row as a request would bring it, from the examples of the manifest."""
        row = {field.name: field.example for field in self.manifest.inputs}
        return RequestSchema(self.manifest).check([row])

    def _chunks(self, inputs: "pl.DataFrame") -> "Iterator[tuple[Columns, int]]":
        features = inputs if self._function is None else self._apply(inputs)
        for part in features.iter_slices(_CHUNK):
            joined = set(self._joined)
            columns = {
                field.name: _from_frame(field, part, self.name)
                for field in self._features
                if field.name not in joined
            }
            if joined:
                columns[NUMBERS] = self._matrix_of(part)
            yield columns, part.height

    def _matrix_of(self, part: "pl.DataFrame") -> npt.NDArray[Any]:
        import polars as pl

        try:
            # All at once: a column at a time costs as much again as the trees.
            return part.select(pl.col(self._joined).cast(pl.Float32)).to_numpy(order="c")
        except pl.exceptions.PolarsError:
            fields = {field.name: field for field in self._features}  # which says what is wrong with which
            return np.hstack([_from_frame(fields[name], part, self.name) for name in self._joined])

    def _apply(self, inputs: "pl.DataFrame") -> "pl.DataFrame":
        assert self._function is not None
        try:
            return self._function(inputs)
        except UserMistake as error:
            raise Fault(f"{self.name}, {error.place}", error.what, "Correct it and train again.") from error

    def _run(self, columns: Columns, count: int) -> Scores:
        try:
            # The session's own `run` checks names and types once more in Python, for longer than trees take to run.
            (output,) = self._session._sess.run(self._outputs, columns, None)
        except Exception as error:  # onnxruntime has a dozen classes without a common parent
            raise Fault(self.name, f"cannot predict: {error}", "Roll back and look at the bundle.") from error
        scores = np.asarray(output, dtype=np.float64).reshape(count, -1)
        if not isfinite(np.add.reduce(scores, axis=None)) and not np.isfinite(scores).all():
            row = int(np.flatnonzero(~np.isfinite(scores).all(axis=1))[0])
            raise Fault(
                self.name, f"gave {scores[row].tolist()} for row {row}", "Roll back and look at the bundle."
            )
        return self._shape(scores)

    def _shape(self, scores: Scores) -> Scores:
        if not self.manifest.classes:
            return scores[:, 0]
        return scores if self.manifest.positive is None else scores[:, self.manifest.positive]


def class_codes(manifest: Manifest, scores: Scores) -> npt.NDArray[np.int64]:
    """For each row the place in `classes` of the one that is decided.

    Args:
        scores: As `Model.score` gives them.
    """
    if manifest.positive is None:
        codes: npt.NDArray[np.int64] = np.argmax(scores, axis=1)
        return codes
    return np.where(scores >= threshold_of(manifest), manifest.positive, 1 - manifest.positive)


def threshold_of(manifest: Manifest) -> float:
    """From which score on the positive class is decided."""
    return 0.5 if manifest.threshold is None else manifest.threshold


def input_frame(fields: Sequence[Field], frame: "pl.DataFrame") -> "pl.DataFrame":
    """The inputs of a model in the types in which feature functions see them, in training and in production.

    Numbers are Float64, booleans Boolean, categories String, times UTC microseconds.

    Raises:
        DataMistake: a column is missing or cannot be cast.
    """
    import polars as pl

    types: dict[str, Any] = {
        "number": pl.Float64,
        "boolean": pl.Boolean,
        "category": pl.String,
        "time": pl.Datetime("us", "UTC"),
    }
    columns = []
    for field in fields:
        if field.name not in frame.columns:
            raise DataMistake(f"column {field.name!r}", "is missing", "Give every input of the model.")
        source, target = frame[field.name], types[field.kind]
        try:
            if field.kind == "time" and source.dtype == pl.String:
                source = pl.Series(
                    field.name, [None if v is None else parse_time(v) for v in source], dtype=target
                )
            elif (
                field.kind == "time"
                and source.dtype.is_temporal()
                and getattr(source.dtype, "time_zone", 1) is None
            ):
                source = source.dt.replace_time_zone("UTC")
            columns.append(source if source.dtype == target else source.cast(target))
        except pl.exceptions.PolarsError as error:
            raise DataMistake(
                f"column {field.name!r}", f"is {source.dtype}: {error}", f"Give a {field.kind}."
            ) from error
    return pl.DataFrame(columns)


def frame_of_rows(fields: Sequence[Field], rows: Sequence[dict[str, Any]]) -> "pl.DataFrame":
    """Rows of a request as a frame; what a row leaves out is null."""
    import polars as pl

    types: dict[str, Any] = {
        "number": pl.Float64,
        "boolean": pl.Boolean,
        "category": pl.String,
        "time": pl.String,
    }
    columns = [
        pl.Series(f.name, [row.get(f.name) for row in rows], dtype=types[f.kind], strict=False)
        for f in fields
    ]
    return pl.DataFrame(columns)


def _from_frame(field: Field, frame: "pl.DataFrame", place: str) -> npt.NDArray[Any]:
    import polars as pl

    if field.name not in frame.columns:
        raise Fault(place, f"feature {field.name!r} is missing", "The feature function must add it.")
    column = frame[field.name]
    try:
        if field.kind == "category":
            texts = column if column.dtype == pl.String else column.cast(pl.String)
            return np.array([[text or ""] for text in texts.to_list()], dtype=object)
        # A cast by polars costs 0.1 ms whatever the length: single rows must do without.
        numbers = column if column.dtype in (pl.Float64, pl.Float32) else column.cast(pl.Float32)
        return numbers.to_numpy().astype(np.float32).reshape(-1, 1)
    except pl.exceptions.PolarsError as error:
        raise Fault(
            place, f"feature {field.name!r} is {column.dtype}: {error}", f"It must be a {field.kind}."
        ) from error


def _open_session(name: str, graph: bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # see Model._run
        raise Fault(name, f"cannot be loaded: {error}", "Register the version again.") from error


def _load_function(name: str, source: str, function: str, digest: str) -> FeatureFunction:
    try:
        # The text is the user's own, and its digest is part of the bundle that was accepted.
        return load_feature_function(source, function, f"{FEATURES}@{digest[:12]}")
    except UserMistake as error:
        raise Fault(f"{name}, {error.place}", error.what, "Correct it and train again.") from error
