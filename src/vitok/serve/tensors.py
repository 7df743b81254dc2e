"""Tensors of the Open Inference Protocol V2, as JSON and in its binary extension, to columns and back."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from vitok.errors import RequestMistake
from vitok.model.schema import decode_json
from vitok.serve.http import Response

LENGTH_HEADER = b"inference-header-content-length"
NUMBERS: dict[str, np.dtype[Any]] = {
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
}
_DATATYPES = (*NUMBERS, "BOOL", "BYTES")


class Tensor(msgspec.Struct):
    """One input as it stands in the request's JSON."""

    name: str
    shape: list[int]
    datatype: str
    data: Any = msgspec.UNSET
    parameters: dict[str, Any] = {}


class AskedOutput(msgspec.Struct):
    """One output that a request asks for."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(msgspec.Struct):
    """The JSON of an inference request."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[AskedOutput] = []
    parameters: dict[str, Any] = {}


def read_infer(body: bytes, length: bytes | None) -> tuple[InferRequest, dict[str, list[Any]]]:
    """Reads a request and its tensors.

    Args:
        length: The header `Inference-Header-Content-Length`, if it was sent.

    Returns:
        The request, and the values of each tensor; NaN in a tensor is None, the protocol's only missing
        value.

    Raises:
        RequestMistake: JSON, shapes, types or lengths contradict each other.
    """
    head, rest = body, b""
    if length is not None:
        if not length.isdigit() or int(length) > len(body):
            raise RequestMistake(
                "header Inference-Header-Content-Length",
                f"is {length.decode('latin-1')!r} for a body of {len(body)} bytes",
                "Send the length of the JSON in bytes.",
            )
        head, rest = body[: int(length)], body[int(length) :]
    try:
        request = msgspec.convert(decode_json(head), InferRequest)
    except msgspec.ValidationError as error:
        raise RequestMistake(
            "body", f"is no inference request: {error}", "See the Open Inference Protocol V2."
        ) from error
    columns: dict[str, list[Any]] = {}
    for place, tensor in enumerate(request.inputs):
        where = f"inputs[{place}] ({tensor.name})"
        if tensor.name in columns:
            raise RequestMistake(where, "is there twice", "Send each input once.")
        columns[tensor.name], rest = _values(where, tensor, rest)
    if rest:
        raise RequestMistake(
            "body", f"has {len(rest)} bytes too many", "Send only the tensors that the JSON names."
        )
    if len({len(column) for column in columns.values()}) > 1:
        sizes = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise RequestMistake(
            "inputs", f"have different numbers of rows: {sizes}", "Send one value for each row."
        )
    return request, columns


def _values(where: str, tensor: Tensor, rest: bytes) -> tuple[list[Any], bytes]:
    if tensor.datatype not in _DATATYPES:
        raise RequestMistake(
            where, f"has datatype {tensor.datatype!r}", f"Use one of {', '.join(_DATATYPES)}."
        )
    shape = tensor.shape
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)) or shape[0] < 0:
        raise RequestMistake(
            where, f"has shape {shape}", "Send shape [n] or [n, 1], one tensor for each input."
        )
    size = tensor.parameters.get("binary_data_size")
    if size is not None:
        if tensor.data is not msgspec.UNSET:
            raise RequestMistake(where, "has both data and binary_data_size", "Send one of them.")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(rest):
            raise RequestMistake(
                where, f"has binary_data_size {size}, {len(rest)} bytes are left", "Correct it."
            )
        values, rest = _binary(where, tensor.datatype, rest[:size]), rest[size:]
    else:
        if not isinstance(tensor.data, list):
            raise RequestMistake(where, "has no list `data`", "Send data, or binary_data_size and the bytes.")
        values = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in tensor.data]
    if len(values) != shape[0]:
        raise RequestMistake(where, f"has {len(values)} values for shape {shape}", "Make both the same.")
    return values, rest


def _binary(where: str, datatype: str, content: bytes) -> list[Any]:
    if datatype == "BYTES":
        return _strings(where, content)
    kind: np.dtype[Any] = NUMBERS.get(datatype, np.dtype("u1"))
    if len(content) % kind.itemsize:
        raise RequestMistake(
            where, f"has {len(content)} bytes of {datatype}", f"Send {kind.itemsize} for each value."
        )
    array = np.frombuffer(content, dtype=kind)
    if datatype == "BOOL":
        return [bool(value) for value in array.tolist()]
    values: list[Any] = array.tolist()
    return [None if value != value else value for value in values] if kind.kind == "f" else values


def _strings(where: str, content: bytes) -> list[str]:
    values, start = [], 0
    while start < len(content):
        end = start + 4 + int.from_bytes(content[start : start + 4], "little")
        if start + 4 > len(content) or end > len(content):
            raise RequestMistake(
                where, "ends inside of a string", "Prefix each string with its length (4 bytes)."
            )
        try:
            values.append(content[start + 4 : end].decode())
        except UnicodeDecodeError as error:
            raise RequestMistake(where, f"value {len(values)} is not UTF-8", "Send text as UTF-8.") from error
        start = end
    return values


class Output(msgspec.Struct):
    """One output: its values as an array (numbers) or a list of texts."""

    name: str
    datatype: str
    shape: list[int]
    values: npt.NDArray[Any] | Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """The output with its values in the JSON, in row order."""
        flat = self.values.ravel().tolist() if isinstance(self.values, np.ndarray) else list(self.values)
        return {"name": self.name, "datatype": self.datatype, "shape": self.shape, "data": flat}

    def as_bytes(self) -> bytes:
        """The values in the binary extension."""
        if isinstance(self.values, np.ndarray):
            return self.values.astype(NUMBERS[self.datatype]).tobytes()
        texts = [text.encode() for text in self.values]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def write_infer(head: dict[str, Any], outputs: list[Output], binary: set[str]) -> Response:
    """The answer, with the outputs named in `binary` behind the JSON."""
    described, buffers = [], []
    for output in outputs:
        if output.name in binary:
            buffers.append(output.as_bytes())
            parameters = {"binary_data_size": len(buffers[-1])}
            described.append(
                {
                    "name": output.name,
                    "datatype": output.datatype,
                    "shape": output.shape,
                    "parameters": parameters,
                }
            )
        else:
            described.append(output.as_json())
    text = msgspec.json.encode({**head, "outputs": described})
    if not buffers:
        return Response(200, text)
    length = (LENGTH_HEADER, str(len(text)).encode())
    return Response(200, b"".join([text, *buffers]), b"application/octet-stream", (length,))
