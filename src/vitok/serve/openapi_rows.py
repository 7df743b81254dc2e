"""The schemas of the row API in OpenAPI, typed from the manifest of the version that answers."""

from typing import Any

from vitok.model.bundle import Field, Manifest
from vitok.model.schema import FLOAT32_MAX, has_all_levels

_KINDS: dict[str, dict[str, Any]] = {
    "number": {"type": "number", "minimum": -FLOAT32_MAX, "maximum": FLOAT32_MAX},
    "boolean": {"type": "boolean"},
    "category": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
}


def row_schema(manifest: Manifest) -> dict[str, Any]:
    """One row of a request, typed from the inputs of the model."""
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


def listed(name: str, item: dict[str, Any]) -> dict[str, Any]:
    """An object with one list."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name],
        "properties": {name: {"type": "array", "items": item, "minItems": 1 if name == "rows" else 0}},
    }


def predictions_schema(manifest: Manifest) -> dict[str, Any]:
    """The answer of the row API."""
    numbers = {"type": "object", "additionalProperties": {"type": "number"}}
    is_multiclass = bool(manifest.classes) and manifest.positive is None
    score = {"scores": numbers} if is_multiclass else {"score": {"type": "number"}}
    decision: dict[str, Any] = (
        {"enum": [*manifest.classes, None]} if manifest.classes else {"type": ["number", "null"]}
    )
    decision["description"] = "null: a person decides"
    item = {
        "type": "object",
        "required": ["id", "decision"],
        "properties": {
            "id": {"type": "string"},
            "version": {"type": "integer"},
            **score,
            "decision": decision,
            "action": {
                "enum": ["model", "rule", "default", "fallback", "hand_over", "holdout"],
                "default": "model",
                "description": "Who decided",
            },
            "reason": {"type": "string", "description": "Why, if it was not the model"},
            "warnings": {"type": "array", "items": {"type": "string"}},
            "interval": _interval(manifest),
        },
    }
    return {
        "type": "object",
        "required": ["model", "predictions"],
        "properties": {
            "model": {"type": "string"},
            "version": {"type": "integer"},
            "predictions": {"type": "array", "items": item},
            "recorded": {"const": False, "description": "Only if the journal could not take the predictions"},
        },
    }


def _interval(manifest: Manifest) -> dict[str, Any]:
    number: dict[str, Any] = {"type": "number"}
    bounds: dict[str, Any] = {"low": number, "high": number}
    if manifest.classes and manifest.positive is None:
        bounds = {"classes": {"type": "array", "items": {"enum": manifest.classes}, "minItems": 1}}
    return {
        "type": "object",
        "required": ["level", *bounds],
        "description": "How sure it is, if `interval=true` was asked and the rows to judge were enough to tell",
        "properties": {"level": number, **bounds},
    }


def explained_schema(manifest: Manifest) -> dict[str, Any]:
    """The answer of the row API with explanations."""
    found = predictions_schema(manifest)
    names = [field.name for field in manifest.inputs]
    found["properties"]["predictions"]["items"]["properties"]["explanation"] = {
        "type": "object",
        "required": ["base", "contributions", "method", "typical_row"],
        "description": "Left out where no model gave a score",
        "properties": {
            "base": {"type": "number", "description": "Score of the typical row"},
            "contributions": {
                "type": "object",
                "description": "What each input adds; they sum to the score less the base",
                "required": names,
                "properties": {name: {"type": "number"} for name in names},
            },
            "class": {"enum": manifest.classes, "description": "The class whose score is explained"},
            "method": {"enum": ["exact", "sampled"]},
            "typical_row": {"type": "object"},
        },
    }
    return found


def outcome_schema(manifest: Manifest) -> dict[str, Any]:
    """What really happened to a row."""
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
            "followed": {
                "type": ["boolean", "null"],
                "description": "Whether people acted as the decision advised.",
            },
        },
    }


def taken_schema() -> dict[str, Any]:
    """What became of the outcomes of a request."""
    texts, number = {"type": "array", "items": {"type": "string"}}, {"type": "integer"}
    names = {
        "matched": number,
        "unmatched": texts,
        "duplicates": number,
        "conflicts": texts,
        "problems": texts,
    }
    return {"type": "object", "required": list(names), "properties": names}
