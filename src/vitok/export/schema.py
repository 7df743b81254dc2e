"""The charter's JSON schema, for editors."""

import json
from typing import Any

from pydantic import BaseModel

from vitok.charter.model import Charter
from vitok.charter.section import Later, key_of


def charter_schema() -> str:
    """JSON schema of `vitok.yaml`, with descriptions and examples; keys without effect yet say so."""
    schema = Charter.model_json_schema()
    for model in _models(Charter):
        node = schema if model is Charter else schema["$defs"][model.__name__]
        for name, field in model.model_fields.items():
            for mark in field.metadata:
                if isinstance(mark, Later):
                    _append(
                        node["properties"][key_of(model, name)], f"No effect in this version: {mark.until}."
                    )
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "vitok.yaml, the charter of a Vitok project",
    }
    return json.dumps({**schema, **head}, indent=2, ensure_ascii=False) + "\n"


def _append(node: dict[str, Any], sentence: str) -> None:
    node["description"] = f"{node.get('description', '')} {sentence}".strip()


def _models(model: type[BaseModel]) -> list[type[BaseModel]]:
    """A model and all models inside it."""
    found = [model]
    for field in model.model_fields.values():
        for inner in _inside(field.annotation):
            found += _models(inner)
    return found


def _inside(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [inner for part in getattr(annotation, "__args__", ()) for inner in _inside(part)]
