"""The description of the control plane's API: OpenAPI, made of the places and deeds themselves."""

import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vitok.govern.roles import ACTS
from vitok.loop.control import Visitor
from vitok.web.door import HEADERS, Handler
from vitok.web.place import Ask, Deed, Place

_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean"}
_FAILURES = {
    "400": "what was sent is not what it must be",
    "401": "nobody is known by that key or session",
    "403": "not allowed to whoever asks",
    "404": "there is no such thing",
    "409": "somebody else is at it",
    "503": "the state database does not answer",
}


def describe(places: tuple[Place, ...], deeds: tuple[Deed, ...]) -> Handler:
    """Answers with the description."""
    about = description(places, deeds)

    async def answer(request: Request, visitor: Visitor) -> Response:
        return JSONResponse(about, headers=HEADERS)

    return answer


def description(places: tuple[Place, ...], deeds: tuple[Deed, ...]) -> dict[str, Any]:
    """The OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for place in places:
        paths.setdefault(place.api, {})["get"] = _operation(place.api, place.help, place.act) | {
            "parameters": [*_of_path(place.api), *_of_query(place.asks)]
        }
    for deed in deeds:
        paths.setdefault(deed.api, {})["post"] = _operation(deed.api, deed.help, deed.act, deed.status) | {
            "parameters": _of_path(deed.api),
            "requestBody": {"required": True, "content": {"application/json": {"schema": _body(deed.asks)}}},
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Vitok: control plane", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": {"type": "string"}},
                }
            },
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}, {}],
    }


def _operation(path: str, sentence: str, act: Any, status: int = 200) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    done = {"description": "done", "content": {"application/json": {"schema": {"type": "object"}}}}
    failures = {status: {"description": text, "content": error} for status, text in _FAILURES.items()}
    also = {"413": {"description": "the body is too long", "content": error}}
    also["415"] = {"description": "the body is not sent as JSON", "content": error}
    return {
        "summary": sentence,
        "description": f"Needs the right to {ACTS[act]}.",
        "tags": [path.split("/")[2]],
        "responses": {str(status): done, **failures, **also},
    }


def _of_path(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _of_query(asks: Mapping[str, Ask]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": ask.needed, "description": ask.help, "schema": _schema(ask)}
        for name, ask in asks.items()
    ]


def _body(asks: Mapping[str, Ask]) -> dict[str, Any]:
    fields = {name: _schema(ask) | {"description": ask.help} for name, ask in asks.items()}
    for name, ask in asks.items():
        if not ask.needed:
            fields[name]["type"] = [fields[name]["type"], "null"]
            if ask.choices:
                fields[name]["enum"] = [*ask.choices, None]
    needed = [name for name, ask in asks.items() if ask.needed]
    return {"type": "object", "properties": fields, "required": needed, "additionalProperties": False}


def _schema(ask: Ask) -> dict[str, Any]:
    found: dict[str, Any] = {"type": _KINDS[ask.kind]}
    if ask.kind is str:
        found["maxLength"] = 2000
    if ask.choices:
        found["enum"] = list(ask.choices)
    return found
