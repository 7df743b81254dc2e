"""The charter's JSON schema, for editors."""

import json

from vitok.charter.model import Charter


def charter_schema() -> str:
    """JSON schema of `vitok.yaml`, with descriptions and examples."""
    schema = Charter.model_json_schema()
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "vitok.yaml, the charter of a Vitok project",
    }
    return json.dumps({**schema, **head}, indent=2, ensure_ascii=False) + "\n"
