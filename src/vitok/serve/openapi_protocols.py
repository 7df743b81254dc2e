"""The schemas of the Open Inference Protocol and of MLflow's in OpenAPI."""

from typing import Any

from vitok.model.bundle import Field, Manifest
from vitok.serve.invocations import CODES
from vitok.serve.tensors import NUMBERS
from vitok.serve.v2 import output_shapes, taken_datatypes
from vitok.serve.v2_extras import extra_shapes

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_SHAPE: Schema = {"type": "array", "items": {"type": "integer"}, "minItems": 1}
_VALUE: Schema = {"type": ["number", "string", "boolean", "null"]}
_PARAMETERS: Schema = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
_METADATA: Schema = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {"name": _TEXT, "datatype": _TEXT, "shape": _SHAPE},
}


def protocol_schemas(manifest: Manifest) -> dict[str, Schema]:
    """By name, what the protocols' requests and answers are made of."""
    return {
        "ServerMetadata": _object(name=_TEXT, version=_TEXT, extensions=_TEXTS),
        "ModelMetadata": _object(
            ("parameters",),
            name=_TEXT,
            versions=_TEXTS,
            platform=_TEXT,
            inputs={"type": "array", "items": _METADATA},
            outputs={"type": "array", "items": _METADATA},
            parameters=_PARAMETERS,
        ),
        "ModelReady": _object(name=_TEXT, version=_TEXT, ready={"type": "boolean"}),
        "RepositoryIndex": {
            "type": "array",
            "items": _object(name=_TEXT, version=_TEXT, state=_TEXT, reason=_TEXT),
        },
        "Statistics": _object(
            model_stats={
                "type": "array",
                "items": _object(name=_TEXT, version=_TEXT, inference_count={"type": "integer"}),
            }
        ),
        "InferRequest": _infer_request(manifest),
        "InferResponse": _infer_response(manifest),
        "Invocation": _invocation(manifest),
        "InvocationAnswer": _object(
            ("ids", "actions", "recorded"),
            predictions={"type": "array", "items": _prediction(manifest)},
            ids=_TEXTS,
            actions=_TEXTS,
            recorded={"const": False},
        ),
        "InvocationError": _object(
            error_code={"enum": sorted({*CODES.values(), "INTERNAL_ERROR"})}, message=_TEXT
        ),
    }


def infer_example(manifest: Manifest) -> Schema:
    """An inference request from a training row."""
    return {
        "inputs": [
            {"name": field.name, "datatype": _datatypes(field)[0], "shape": [1, 1], "data": [field.example]}
            for field in manifest.inputs
            if field.example is not None
        ]
    }


def invocation_example(manifest: Manifest) -> Schema:
    """A scoring request from a training row."""
    return {
        "dataframe_split": {
            "columns": [field.name for field in manifest.inputs],
            "data": [[field.example for field in manifest.inputs]],
        }
    }


def _object(optional: tuple[str, ...] = (), **properties: Schema) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def _datatypes(field: Field) -> list[str]:
    taken = taken_datatypes(field)
    return ["FP32", *sorted(taken - {"FP32"})] if "FP32" in taken else sorted(taken)


def _infer_request(manifest: Manifest) -> Schema:
    known = {field.name: _datatypes(field) for field in manifest.inputs}
    tensor = _object(
        ("data", "parameters"),
        name={"type": "string", "description": f"An input: {', '.join(known)}"},
        datatype={"enum": [*NUMBERS, "BOOL", "BYTES"]},
        shape={"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 2},
        data={"type": "array", "items": {"anyOf": [_VALUE, {"type": "array", "items": _VALUE}]}},
        parameters=_PARAMETERS,
    )
    output = _object(("parameters",), name={"enum": _outputs(manifest)}, parameters=_PARAMETERS)
    found = _object(
        ("id", "parameters", "outputs"),
        id={"type": ["string", "null"]},
        parameters={
            **_PARAMETERS,
            "properties": {name: {"type": "boolean"} for name in extra_shapes(manifest)},
        },
        inputs={"type": "array", "items": tensor, "minItems": 1},
        outputs={"type": "array", "items": output},
    )
    return found | {"description": "; ".join(f"{name}: {', '.join(types)}" for name, types in known.items())}


def _outputs(manifest: Manifest) -> list[str]:
    extra = [name for outputs in extra_shapes(manifest).values() for name in outputs]
    return [*output_shapes(manifest), *extra]


def _infer_response(manifest: Manifest) -> Schema:
    output = _object(
        ("data", "parameters"),
        name={"enum": _outputs(manifest)},
        datatype=_TEXT,
        shape=_SHAPE,
        data={"type": "array", "items": _VALUE},
        parameters=_PARAMETERS,
    )
    return _object(
        ("model_version", "id", "parameters"),
        model_name=_TEXT,
        model_version=_TEXT,
        id=_TEXT,
        parameters=_PARAMETERS,
        outputs={"type": "array", "items": output},
    )


def _invocation(manifest: Manifest) -> Schema:
    width = len(manifest.inputs)
    row: Schema = {"$ref": "#/components/schemas/Row"}
    values: Schema = {"type": "array", "items": _VALUE, "minItems": width, "maxItems": width}
    rows: Schema = {"type": "array", "minItems": 1, "items": {"anyOf": [row, values]}}
    columns: Schema = {"type": "object", "additionalProperties": {"type": "array", "items": _VALUE}}
    flags = ("scores", "ids", "actions")
    params = _object(flags, **{flag: {"type": "boolean"} for flag in flags})
    split = _object(
        ("index",),
        columns=_TEXTS,
        data={"type": "array", "items": {"type": "array", "items": _VALUE}, "minItems": 1},
        index={"type": "array"},
    )
    forms: dict[str, Schema] = {
        "dataframe_split": split,
        "dataframe_records": {"type": "array", "items": row, "minItems": 1},
        "instances": rows,
        "inputs": {"anyOf": [rows, columns]},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **forms,
            "params": params | {"type": ["object", "null"], "additionalProperties": False},
        },
        "oneOf": [{"required": [name]} for name in forms],
    }


def _prediction(manifest: Manifest) -> Schema:
    if not manifest.classes:
        return {"type": ["number", "null"]}
    return {"anyOf": [{"enum": [*manifest.classes, None]}, {"type": "array", "items": {"type": "number"}}]}
