"""The description of the row API, typed from the manifest of the version that answers."""

from typing import Any

from vitok import __version__
from vitok.model.bundle import Field, Manifest
from vitok.model.schema import FLOAT32_MAX, has_all_levels

_KINDS: dict[str, dict[str, Any]] = {
    "number": {"type": "number", "minimum": -FLOAT32_MAX, "maximum": FLOAT32_MAX},
    "boolean": {"type": "boolean"},
    "category": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_FAILURES = {
    "400": "The request is not what the model takes",
    "413": "The request is too large",
    "500": "The model failed",
    "503": "Nothing is released, or the answer could not be recorded",
}


def describe(project: str, manifest: Manifest | None) -> dict[str, Any]:
    """OpenAPI 3.1 of the row API; without a manifest (nothing is released) it has no paths."""
    info = {"title": f"Predictions of {project}", "version": __version__}
    if manifest is None:
        return {"openapi": "3.1.0", "info": info, "paths": {}}
    return {
        "openapi": "3.1.0",
        "info": info,
        "paths": {
            f"/models/{project}/predict": {
                "post": _operation("predict", "Predictions for rows", "Rows", "Predictions")
            },
            f"/models/{project}/outcomes": {
                "post": _operation("outcomes", "What really happened", "Outcomes", "OutcomesTaken")
            },
        },
        "components": {
            "schemas": {
                "Row": _row(manifest),
                "Rows": _listed("rows", {"$ref": "#/components/schemas/Row"}),
                "Predictions": _predictions(manifest),
                "Outcomes": _listed("outcomes", _outcome(manifest)),
                "OutcomesTaken": _taken(),
                "Error": _ERROR,
            }
        },
    }


def _operation(name: str, summary: str, takes: str, gives: str) -> dict[str, Any]:
    def content(schema: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}

    failures = {
        status: {"description": text, "content": content("Error")} for status, text in _FAILURES.items()
    }
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": content(takes)},
        "responses": {"200": {"description": summary, "content": content(gives)}, **failures},
    }


def _row(manifest: Manifest) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    if manifest.id is not None:
        properties[manifest.id] = {
            "type": ["string", "integer", "null"],
            "description": "Id of the prediction",
        }
    if manifest.entity is not None:
        properties[manifest.entity] = {
            "type": ["string", "number", "boolean", "null"],
            "description": "The unit that the row belongs to",
        }
    if manifest.time is not None:
        properties[manifest.time] = {"type": ["string", "null"], "format": "date-time"}
    properties |= {field.name: _field(field) for field in manifest.inputs}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [field.name for field in manifest.inputs if not field.nullable],
        "properties": properties,
        "example": {field.name: field.example for field in manifest.inputs},
    }


def _field(field: Field) -> dict[str, Any]:
    described = dict(_KINDS[field.kind])
    if field.nullable:
        described["type"] = [described["type"], "null"]
    if field.levels:
        known = ", ".join(field.levels)
        described["description"] = f"In the training data: {known}" + (
            "" if has_all_levels(field) else ", ..."
        )
    if field.example is not None:
        described["examples"] = [field.example]
    return described


def _listed(name: str, item: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name],
        "properties": {name: {"type": "array", "items": item, "minItems": 1 if name == "rows" else 0}},
    }


def _predictions(manifest: Manifest) -> dict[str, Any]:
    numbers = {"type": "object", "additionalProperties": {"type": "number"}}
    is_multiclass = bool(manifest.classes) and manifest.positive is None
    score = {"scores": numbers} if is_multiclass else {"score": {"type": "number"}}
    decision: dict[str, Any] = {"enum": manifest.classes} if manifest.classes else {"type": "number"}
    item = {
        "type": "object",
        "required": ["id", *score, "decision"],
        "properties": {
            "id": {"type": "string"},
            "version": {"type": "integer"},
            **score,
            "decision": decision,
            "warnings": {"type": "array", "items": {"type": "string"}},
        },
    }
    return {
        "type": "object",
        "required": ["model", "predictions"],
        "properties": {
            "model": {"type": "string"},
            "version": {"type": "integer"},
            "predictions": {"type": "array", "items": item},
        },
    }


def _outcome(manifest: Manifest) -> dict[str, Any]:
    value: dict[str, Any] = {"enum": manifest.classes} if manifest.classes else {"type": "number"}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "value"],
        "properties": {
            "id": {"type": ["string", "integer"]},
            "value": value,
            "time": {"type": "string", "format": "date-time"},
            "replace": {"type": "boolean", "default": False},
        },
    }


def _taken() -> dict[str, Any]:
    texts, number = {"type": "array", "items": {"type": "string"}}, {"type": "integer"}
    names = {
        "matched": number,
        "unmatched": texts,
        "duplicates": number,
        "conflicts": texts,
        "problems": texts,
    }
    return {"type": "object", "required": list(names), "properties": names}
