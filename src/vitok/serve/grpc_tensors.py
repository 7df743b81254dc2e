"""Inference over gRPC to and from the protocol's HTTP form: JSON with the tensors' bytes behind it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from vitok.errors import RequestMistake
from vitok.serve.grpc_messages import MESSAGES
from vitok.serve.tensors import NUMBERS

_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def to_http(request: Any) -> tuple[bytes, int]:
    """A `ModelInferRequest` as the body of an HTTP request, and the length of its JSON.

    The answer is asked for as the inputs came: raw bytes for raw bytes, typed contents for typed contents.

    Raises:
        RequestMistake: contents are missing, contradict their datatype, or are there in both forms.
    """
    is_raw = len(request.raw_input_contents) > 0
    if is_raw and len(request.raw_input_contents) != len(request.inputs):
        raise RequestMistake(
            "raw_input_contents",
            f"has {len(request.raw_input_contents)} tensors for {len(request.inputs)} inputs",
            "Send one for each input.",
        )
    inputs, buffers = [], []
    for place, tensor in enumerate(request.inputs):
        where = f"inputs[{place}] ({tensor.name})"
        if is_raw and tensor.HasField("contents"):
            raise RequestMistake(where, "has contents beside raw_input_contents", "Send one of them.")
        content = request.raw_input_contents[place] if is_raw else _packed(where, tensor)
        buffers.append(content)
        parameters = {**_parameters(tensor.parameters), "binary_data_size": len(content)}
        inputs.append(_described(tensor) | {"parameters": parameters})
    outputs = [
        {"name": output.name, "parameters": {**_parameters(output.parameters), "binary_data": is_raw}}
        for output in request.outputs
    ]
    head: dict[str, Any] = {"inputs": inputs, "outputs": outputs}
    head["parameters"] = {**_parameters(request.parameters), "binary_data_output": is_raw}
    if request.id:
        head["id"] = request.id
    text = msgspec.json.encode(head)
    return b"".join([text, *buffers]), len(text)


def from_http(body: bytes, length: int | None) -> Any:
    """The HTTP answer as a `ModelInferResponse`.

    Args:
        length: Length of its JSON, if tensors follow.
    """
    head = msgspec.json.decode(body if length is None else body[:length])
    response = MESSAGES["ModelInferResponse"](
        model_name=head["model_name"], model_version=head.get("model_version", ""), id=head.get("id", "")
    )
    for name, value in head.get("parameters", {}).items():
        setattr(response.parameters[name], _choice(value), value)
    start = length or 0
    for described in head["outputs"]:
        output = response.outputs.add(
            name=described["name"], datatype=described["datatype"], shape=described["shape"]
        )
        if length is None:
            kind = described["datatype"]
            values = described["data"]
            getattr(output.contents, _CONTENTS[kind]).extend(
                [text.encode() for text in values]
                if kind == "BYTES"
                else [math.nan if value is None else value for value in values]
            )
        else:
            end = start + described["parameters"]["binary_data_size"]
            response.raw_output_contents.append(body[start:end])
            start = end
    return response


def _described(tensor: Any) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


def _packed(where: str, tensor: Any) -> bytes:
    """Typed contents as the bytes of the binary form."""
    if tensor.datatype not in _CONTENTS:
        raise RequestMistake(
            where, f"has datatype {tensor.datatype!r} without raw_input_contents", "Send its raw contents."
        )
    values: Sequence[Any] = getattr(tensor.contents, _CONTENTS[tensor.datatype])
    if tensor.datatype == "BYTES":
        return b"".join(len(text).to_bytes(4, "little") + text for text in values)
    kind = NUMBERS.get(tensor.datatype, np.dtype("?"))
    try:
        return np.array(list(values), dtype=kind).tobytes()
    except OverflowError as error:
        raise RequestMistake(
            where, f"has a value beyond {tensor.datatype}", "Send a wider datatype."
        ) from error


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in given.items():
        chosen = value.WhichOneof("parameter_choice")
        if chosen is None:
            raise RequestMistake(f"parameter {name!r}", "has no value", "Give it one, or leave it out.")
        found[name] = getattr(value, chosen)
    return found


def _choice(value: Any) -> str:
    if isinstance(value, bool):
        return "bool_param"
    if isinstance(value, int):
        return "int64_param" if value < 2**63 else "uint64_param"
    return "double_param" if isinstance(value, float) else "string_param"
