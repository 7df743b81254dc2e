"""Tensors of the Open Inference Protocol V2, as JSON and in its binary extension, to columns and back."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from vitok.errors import RequestMistake
from vitok.model.schema import decode_json
from vitok.serve.http import MAX_ROWS, Response, too_many_rows

LENGTH_HEADER = b"inference-header-content-length"
MATRIX = "inputs"  # what a matrix of all inputs is called where its shape alone does not tell
_LENGTH_DIGITS = 12
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
Parameter = str | int | float | bool


class Tensor(msgspec.Struct):
    """One input as it stands in the request's JSON."""

    name: str
    shape: list[int]
    datatype: str
    data: Any = msgspec.UNSET
    parameters: dict[str, Parameter] = {}


class AskedOutput(msgspec.Struct):
    """One output that a request asks for."""

    name: str
    parameters: dict[str, Parameter] = {}


class InferRequest(msgspec.Struct):
    """The JSON of an inference request."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[AskedOutput] = []
    parameters: dict[str, Parameter] = {}


_decode = msgspec.json.Decoder(InferRequest).decode


class _Wrong(Exception):
    """What is wrong with a tensor, and the remedy; whoever knows its place tells it."""


def read_infer(
    body: bytes, length: bytes | None, matrix: Callable[[], Sequence[str]] = tuple
) -> tuple[InferRequest, dict[str, list[Any]]]:
    """Reads a request and its tensors.

    Args:
        length: The header `Inference-Header-Content-Length`, if it was sent.
        matrix: Gives the names of the columns that a single tensor of shape [n, k] stands for, in order; none if the
            model takes no such tensor.

    Returns:
        The request, and the values of each input; NaN in a tensor is None, the protocol's only missing value.

    Raises:
        RequestMistake: JSON, shapes, types or lengths contradict each other.
    """
    head, rest = _split(body, length)
    try:
        request = _decode(head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        decode_json(head)  # which says what is wrong if it is no JSON at all
        raise RequestMistake(
            "body", f"is no inference request: {error}", "See the Open Inference Protocol V2."
        ) from error
    columns: dict[str, list[Any]] = {}
    names = matrix() if len(request.inputs) == 1 else ()
    for place, tensor in enumerate(request.inputs):
        try:
            if tensor.name in columns:
                raise _Wrong("is there twice", "Send each input once.")
            rest = _read_tensor(tensor, rest, names, columns)
        except _Wrong as wrong:
            raise RequestMistake(f"inputs[{place}] ({tensor.name})", *wrong.args) from wrong
    if rest:
        raise RequestMistake(
            "body", f"has {len(rest)} bytes too many", "Send only the tensors that the JSON names."
        )
    _require_rows(columns)
    return request, columns


def _require_rows(columns: dict[str, list[Any]]) -> None:
    if len({len(column) for column in columns.values()}) > 1:
        sizes = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise RequestMistake(
            "inputs", f"have different numbers of rows: {sizes}", "Send one value for each row."
        )


def _split(body: bytes, length: bytes | None) -> tuple[bytes, bytes]:
    """The JSON and the bytes behind it."""
    if length is None:
        return body, b""
    if not length.isdigit() or len(length) > _LENGTH_DIGITS or int(length) > len(body):
        raise RequestMistake(
            "header Inference-Header-Content-Length",
            f"is {length[:40].decode('latin-1')!r} for a body of {len(body)} bytes",
            "Send the length of the JSON in bytes.",
        )
    return body[: int(length)], body[int(length) :]


def _read_tensor(tensor: Tensor, rest: bytes, matrix: Sequence[str], columns: dict[str, list[Any]]) -> bytes:
    """Adds what a tensor brings to the columns; gives the bytes that it leaves."""
    if tensor.datatype not in _DATATYPES:
        raise _Wrong(f"has datatype {tensor.datatype!r}", f"Use one of {', '.join(_DATATYPES)}.")
    names = _columns(tensor, matrix)
    size = tensor.parameters.get("binary_data_size")
    if size is not None:
        if tensor.data is not msgspec.UNSET:
            raise _Wrong("has both data and binary_data_size", "Send one of them.")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(rest):
            raise _Wrong(f"has binary_data_size {size}, {len(rest)} bytes are left", "Correct it.")
        values, rest = _binary(tensor, rest[:size], len(names)), rest[size:]
    else:
        values = _listed(tensor, len(names))
    if len(names) == 1:
        columns[names[0]] = values
    else:
        columns |= {name: values[place :: len(names)] for place, name in enumerate(names)}
    return rest


def _columns(tensor: Tensor, matrix: Sequence[str]) -> Sequence[str]:
    """The inputs that a tensor brings: the one of its name, or all of them as the columns of a matrix."""
    shape = tensor.shape
    if shape and shape[0] >= 0:
        if tensor.datatype in NUMBERS and len(shape) == 2 and shape[1] == len(matrix) and matrix:
            return matrix if len(matrix) > 1 or tensor.name == MATRIX else [tensor.name]
        if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
            return [tensor.name]
    remedy = "Send shape [n] or [n, 1], one tensor for each input"
    if matrix:
        remedy += (
            f", or a single tensor of numbers [n, {len(matrix)}] with the inputs as columns, in their order"
        )
    raise _Wrong(f"has shape {shape}", f"{remedy}.")


def _listed(tensor: Tensor, width: int) -> list[Any]:
    """The values of a tensor in JSON, which may be flat or nested, row by row."""
    data = tensor.data
    if not isinstance(data, list):
        raise _Wrong("has no list `data`", "Send data, or binary_data_size and the bytes.")
    if list not in map(type, data):
        _require_values(tensor, len(data), width)
        return data
    _require_values(tensor, len(data) * width, width)
    if not all(isinstance(row, list) and len(row) == width for row in data):
        raise _Wrong(
            f"has nested data that are not of shape {tensor.shape}", "Send them flat, or row by row."
        )
    return [value for row in data for value in row]


def _require_values(tensor: Tensor, count: int, width: int) -> None:
    """Checks how many values there are, before memory is spent on them.

    Raises:
        HttpProblem: they are those of more rows than a request may bring (413).
    """
    if count != tensor.shape[0] * width:
        raise _Wrong(f"has {count} values for shape {tensor.shape}", "Make both the same.")
    if tensor.shape[0] > MAX_ROWS:
        raise too_many_rows(tensor.shape[0])


def _binary(tensor: Tensor, content: bytes, width: int) -> list[Any]:
    datatype = tensor.datatype
    if datatype == "BYTES":
        return _strings(tensor, content)
    kind: np.dtype[Any] = NUMBERS.get(datatype, np.dtype("u1"))
    if len(content) % kind.itemsize:
        raise _Wrong(f"has {len(content)} bytes of {datatype}", f"Send {kind.itemsize} for each value.")
    _require_values(tensor, len(content) // kind.itemsize, width)
    array = np.frombuffer(content, dtype=kind)
    if datatype == "BOOL":
        return [bool(value) for value in array.tolist()]
    values: list[Any] = array.tolist()
    return [None if value != value else value for value in values] if kind.kind == "f" else values


def _strings(tensor: Tensor, content: bytes) -> list[str]:
    count = tensor.shape[0]
    if MAX_ROWS < count <= len(content) // 4:  # each has four bytes at least
        raise too_many_rows(count)
    values: list[str] = []
    start = 0
    while start < len(content):
        if len(values) == count:
            raise _Wrong(f"has more than {count} values for shape {tensor.shape}", "Make both the same.")
        end = start + 4 + int.from_bytes(content[start : start + 4], "little")
        if start + 4 > len(content) or end > len(content):
            raise _Wrong("ends inside of a string", "Prefix each string with its length (4 bytes).")
        try:
            values.append(content[start + 4 : end].decode())
        except UnicodeDecodeError as error:
            raise _Wrong(f"value {len(values)} is not UTF-8", "Send text as UTF-8.") from error
        start = end
    _require_values(tensor, len(values), 1)
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
