"""The Open Inference Protocol V2: what a model takes and gives, and inference."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vitok import __version__
from vitok.errors import RequestMistake
from vitok.journal.records import as_text
from vitok.model.bundle import Field, Manifest
from vitok.model.schema import Rows
from vitok.serve.deployment import Deployment, Served
from vitok.serve.http import Response
from vitok.serve.predict import Answer, served_version
from vitok.serve.tensors import LENGTH_HEADER, NUMBERS, InferRequest, Output, read_infer, write_infer
from vitok.serve.v2_extras import (
    EXPLANATION,
    INTERVAL,
    LEVEL,
    asks_intervals,
    explanation_output,
    extra_shapes,
    interval_outputs,
    wanted_by,
)

_DATATYPES = {"number": "FP32", "boolean": "BOOL", "category": "BYTES", "time": "BYTES"}
_TAKEN = {"number": frozenset(NUMBERS), "boolean": frozenset({"BOOL"})}
_TEXT = frozenset({"BYTES"})
_EXTENSIONS = ["binary_tensor_data", "model_repository", "statistics"]
_TEXTS = ("BYTES", [-1])
_BINARY_OUTPUT = "binary_data_output"


def server_metadata() -> dict[str, Any]:
    """What the server says of itself."""
    return {"name": "vitok", "version": __version__, "extensions": _EXTENSIONS}


def model_metadata(deployment: Deployment, served: Served) -> dict[str, Any]:
    """What a model takes and gives."""
    manifest = served.model.manifest
    return {
        "name": deployment.plan.project,
        "versions": [str(number) for number in sorted(deployment.served)],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": field.name, "datatype": _DATATYPES[field.kind], "shape": [-1, 1]}
            for field in manifest.inputs
        ],
        "outputs": [
            {"name": name, "datatype": datatype, "shape": shape}
            for name, (datatype, shape) in output_shapes(manifest).items()
        ],
        "parameters": _notes(served),
    }


def matrix_columns(manifest: Manifest) -> list[str]:
    """What the columns of a single tensor [n, k] are: the inputs in their order, if all of them are numbers."""
    if any(field.kind != "number" for field in manifest.inputs):
        return []
    return [field.name for field in manifest.inputs]


def _notes(served: Served) -> dict[str, str]:
    """What clients may do besides."""
    manifest, notes = served.model.manifest, dict[str, str]()
    count = len(matrix_columns(manifest))
    if count:
        text = (
            f"Instead of {count} tensors, one of numbers and shape [-1, {count}]: the inputs in this order."
        )
        notes["matrix_input"] = text
    for question, outputs in extra_shapes(manifest).items():
        if question != INTERVAL or served.model.intervals is not None:
            names = ", ".join(outputs)
            notes[question] = f"Ask for {names} among the outputs, or send the parameter {question}: true."
    return notes


def model_statistics(project: str, counts: Mapping[int, int]) -> dict[str, Any]:
    """How much the workers of a server have predicted since its start.

    Args:
        counts: Predicted rows by version.
    """
    return {
        "model_stats": [
            {"name": project, "version": str(version), "inference_count": count}
            for version, count in sorted(counts.items())
        ]
    }


def repository_index(deployment: Deployment | None) -> list[dict[str, str]]:
    """The versions in production."""
    if deployment is None:
        return []
    return [
        {"name": deployment.plan.project, "version": str(number), "state": "READY", "reason": ""}
        for number in sorted(deployment.served)
    ]


class Asked(NamedTuple):
    """An inference request that was read.

    Args:
        rows: Its rows, checked.
        outputs: The outputs to send, and whether each goes out in binary.
        id: What the caller calls the request.
        parameters: What else the caller says of it; it goes back as it came.
    """

    rows: Rows
    outputs: dict[str, bool]
    id: str | None
    parameters: dict[str, Any]


def read_request(
    deployment: Deployment, body: bytes, headers: Mapping[bytes, bytes], version: int | None
) -> Asked:
    """Reads an inference request.

    Raises:
        RequestMistake: the request is not what the protocol or the model takes.
        NotFound: the version is not in production.
    """
    served = served_version(deployment, version)
    request, columns = read_infer(
        body, headers.get(LENGTH_HEADER), lambda: matrix_columns(served.model.manifest)
    )
    _check_datatypes(served, request)
    outputs = _asked(request, served.model.manifest)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    parameters = {name: value for name, value in request.parameters.items() if name != _BINARY_OUTPUT}
    return Asked(served.schema.check(rows), outputs, request.id, parameters)


def render_answer(
    deployment: Deployment,
    asked: Asked,
    answer: Answer,
    version: int | None,
    explanations: Sequence[dict[str, Any] | None] = (),
) -> Response:
    """The answer to an inference request.

    Args:
        explanations: Of each row, if the request asks for them.
    """
    manifest = served_version(deployment, version).model.manifest
    versions = {prediction.version for prediction in answer.predictions}
    head: dict[str, Any] = {"model_name": deployment.plan.project}
    if len(versions) == 1:  # rows of a batch may be routed to several; the output `version` names each row's
        head["model_version"] = str(versions.pop())
    if asked.id is not None:
        head["id"] = asked.id
    parameters = asked.parameters if answer.recorded else {**asked.parameters, "recorded": False}
    tensors = _tensors(answer, manifest)
    if asks_intervals(asked.outputs):
        intervals, level = interval_outputs(deployment, answer)
        tensors += intervals
        parameters = parameters if level is None else {**parameters, LEVEL: level}
    if EXPLANATION in asked.outputs:
        tensors.append(explanation_output(explanations))
    if parameters:
        head["parameters"] = parameters
    everything = {output.name: output for output in tensors}
    binary = {name for name, is_binary in asked.outputs.items() if is_binary}
    return write_infer(head, [everything[name] for name in asked.outputs], binary)


def output_shapes(manifest: Manifest) -> dict[str, tuple[str, list[int]]]:
    """Datatype and shape of each output by its name."""
    is_multiclass = bool(manifest.classes) and manifest.positive is None
    score = ("scores", ("FP32", [-1, len(manifest.classes)])) if is_multiclass else ("score", ("FP32", [-1]))
    decision = ("FP64", [-1]) if not manifest.classes else ("BYTES", [-1])
    return dict([score]) | {"decision": decision, "id": _TEXTS, "version": ("INT64", [-1]), "action": _TEXTS}


def _tensors(answer: Answer, manifest: Manifest) -> list[Output]:
    """Every output; where no version could tell, scores are NaN, and a decision that a person will make is empty."""
    found, shapes = answer.predictions, output_shapes(manifest)
    count = len(found)
    name, (_, shape) = next(iter(shapes.items()))
    unknown: Any = np.full(shape[1:], np.nan)
    scores = np.array([unknown if one.score is None else one.score for one in found], dtype=np.float32)
    decision = (
        Output("decision", "BYTES", [count], [_decided(one.decision) for one in found])
        if manifest.classes
        else Output("decision", "FP64", [count], np.array([one.decision for one in found], dtype=np.float64))
    )
    return [
        Output(name, "FP32", list(scores.shape), scores),
        decision,
        Output("id", "BYTES", [count], [one.id for one in found]),
        Output("version", "INT64", [count], np.array([one.version for one in found])),
        Output("action", "BYTES", [count], [one.action for one in found]),
    ]


def _decided(decision: Any) -> str:
    return "" if decision is None else as_text(decision)


def _asked(request: InferRequest, manifest: Manifest) -> dict[str, bool]:
    """The outputs to send, and whether each goes out in binary."""
    usual, extra = output_shapes(manifest), wanted_by(request.parameters, manifest)
    default = bool(request.parameters.get(_BINARY_OUTPUT, False))
    if not request.outputs:
        return dict.fromkeys([*usual, *extra], default)
    known = [*usual, *(name for outputs in extra_shapes(manifest).values() for name in outputs)]
    for output in request.outputs:
        if output.name not in known:
            raise RequestMistake("outputs", f"{output.name!r} is no output", f"There are {', '.join(known)}.")
        if output.parameters.get("classification"):
            raise RequestMistake("outputs", "classification is not offered", "Read `decision` instead.")
    named = {output.name: bool(output.parameters.get("binary_data", default)) for output in request.outputs}
    return dict.fromkeys(extra, default) | named


def taken_datatypes(field: Field) -> frozenset[str]:
    """The datatypes in which an input may come."""
    return _TAKEN.get(field.kind, _TEXT)


def _check_datatypes(served: Served, request: InferRequest) -> None:
    fields: dict[str, Field] = served.schema.fields
    for place, tensor in enumerate(request.inputs):
        field = fields.get(
            tensor.name
        )  # None for an id, entity or time column, or unknown: the schema decides
        if field is not None and tensor.datatype not in (taken := taken_datatypes(field)):
            raise RequestMistake(
                f"inputs[{place}] ({tensor.name})",
                f"has datatype {tensor.datatype}, the model takes a {field.kind}",
                f"Send {' or '.join(sorted(taken))}.",
            )
