"""The description of every address of the data plane, typed from the manifest of the version that answers."""

from typing import Any, NamedTuple

from vitok import __version__
from vitok.model.bundle import Manifest
from vitok.serve.openapi_protocols import infer_example, invocation_example, protocol_schemas
from vitok.serve.openapi_rows import (
    explained_schema,
    listed,
    outcome_schema,
    predictions_schema,
    row_schema,
    taken_schema,
)

_JSON, _BINARY = "application/json", "application/octet-stream"
_FAILURES = {
    "400": "The request is not what the model takes",
    "404": "The model or the version is not served here",
    "413": "The request is too large",
    "415": "The body is in a coding or of a type that is not taken",
    "429": "Too many requests are in progress",
    "500": "The model failed",
    "503": "Nothing is released, or the answer could not be recorded",
    "504": "The request took longer than the charter's limit",
}
_VERSION = {
    "name": "version",
    "in": "path",
    "required": True,
    "description": "Number of a version in production",
    "schema": {"type": "integer", "minimum": 1},
}


class Operation(NamedTuple):
    """One address with one method.

    Args:
        group: Where pages show it.
        takes: Schemas of the body by content type; empty if it takes none.
        gives: Schemas of the answer by content type.
        example: A body that is answered.
        failures: Statuses of refusals.
        error: Schema of a refusal.
    """

    method: str
    path: str
    group: str
    summary: str
    takes: dict[str, str]
    gives: dict[str, str]
    example: Any = None
    failures: tuple[str, ...] = ("503",)
    error: str = "Error"

    @property
    def name(self) -> str:
        """Its id: the method and what is fixed of the path."""
        parts = (
            self.path.replace("{version}", "version")
            .strip("/")
            .replace(".", "_")
            .replace("-", "_")
            .split("/")
        )
        return "_".join([self.method, *parts])


def operations(project: str, manifest: Manifest) -> list[Operation]:
    """Everything that the data plane answers, in reading order."""
    rows = {"rows": [_example_row(manifest)]}
    outcomes = {"outcomes": [{"id": "1", "value": manifest.classes[0] if manifest.classes else 1.0}]}
    failures = tuple(_FAILURES)
    model, found = f"/models/{project}", _v2_operations(project, manifest)
    row_api = [
        Operation(
            "post",
            f"{model}/predict",
            "Rows",
            "Predictions for rows",
            {_JSON: "Rows"},
            {_JSON: "Predictions"},
            rows,
            failures,
        ),
        Operation(
            "post",
            f"{model}/explain",
            "Rows",
            "Predictions with what each input added to the score (at most 32 rows)",
            {_JSON: "Rows"},
            {_JSON: "Explained"},
            rows,
            failures,
        ),
        Operation(
            "post",
            f"{model}/outcomes",
            "Rows",
            "What really happened",
            {_JSON: "Outcomes"},
            {_JSON: "OutcomesTaken"},
            outcomes,
            failures,
        ),
    ]
    takes = {_JSON: "Invocation", "text/csv": "Text"}
    mlflow = [
        Operation(
            "post",
            "/invocations",
            "MLflow",
            "Predictions as MLflow's server answers them",
            takes,
            {_JSON: "InvocationAnswer"},
            invocation_example(manifest),
            failures,
            "InvocationError",
        ),
        Operation("get", "/ping", "MLflow", "Whether a model answers", {}, {"text/plain": "Text"}),
        Operation("get", "/health", "MLflow", "Whether a model answers", {}, {"text/plain": "Text"}),
        Operation(
            "get", "/version", "MLflow", "Version of the server", {}, {"text/plain": "Text"}, failures=()
        ),
    ]
    service = [
        Operation(
            "get", "/health/live", "Service", "Whether the process answers", {}, {_JSON: "Live"}, failures=()
        ),
        Operation("get", "/health/ready", "Service", "Whether a model answers", {}, {_JSON: "Ready"}),
        Operation(
            "get", "/metrics", "Service", "Figures for Prometheus", {}, {"text/plain": "Text"}, failures=()
        ),
        Operation("get", "/openapi.json", "Service", "This description", {}, {_JSON: "Any"}, failures=()),
        Operation(
            "get", "/docs", "Service", "This description as a page", {}, {"text/html": "Text"}, failures=()
        ),
    ]
    return [*row_api, *found, *mlflow, *service]


def _v2_operations(project: str, manifest: Manifest) -> list[Operation]:
    group, failures = "Open Inference Protocol V2", tuple(_FAILURES)
    found = [
        Operation("get", "/v2", group, "The server", {}, {_JSON: "ServerMetadata"}, failures=()),
        Operation(
            "get", "/v2/health/live", group, "Whether the process answers", {}, {_JSON: "Live"}, failures=()
        ),
        Operation("get", "/v2/health/ready", group, "Whether a model answers", {}, {_JSON: "Ready"}),
        Operation(
            "post",
            "/v2/repository/index",
            group,
            "The versions in production",
            {},
            {_JSON: "RepositoryIndex"},
            failures=("429",),
        ),
    ]
    found.append(found[-1]._replace(method="get"))
    for base in (f"/v2/models/{project}", f"/v2/models/{project}/versions/{{version}}"):
        lost = ("404", "503") if "{" in base else ("503",)
        found += [
            Operation(
                "get",
                base,
                group,
                "What the model takes and gives",
                {},
                {_JSON: "ModelMetadata"},
                failures=lost,
            ),
            Operation(
                "get", f"{base}/ready", group, "Whether it answers", {}, {_JSON: "ModelReady"}, failures=lost
            ),
            Operation(
                "get",
                f"{base}/stats",
                group,
                "How many rows it has predicted",
                {},
                {_JSON: "Statistics"},
                failures=lost,
            ),
            Operation(
                "post",
                f"{base}/infer",
                group,
                "Inference",
                {_JSON: "InferRequest", _BINARY: "Binary"},
                {_JSON: "InferResponse", _BINARY: "Binary"},
                infer_example(manifest),
                failures,
            ),
        ]
    return found


def describe(project: str, manifest: Manifest | None) -> dict[str, Any]:
    """OpenAPI 3.1 of the data plane; without a manifest (nothing is released) it has no paths."""
    info = {"title": f"Predictions of {project}", "version": __version__}
    if manifest is None:
        return {"openapi": "3.1.0", "info": info, "paths": {}}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations(project, manifest):
        paths.setdefault(operation.path, {})[operation.method] = _render(operation)
    return {
        "openapi": "3.1.0",
        "info": info,
        "paths": paths,
        "components": {"schemas": _schemas(manifest)},
    }


def _render(operation: Operation) -> dict[str, Any]:
    failures = {
        status: {"description": _FAILURES[status], "content": _content({_JSON: operation.error})}
        for status in operation.failures
    }
    found: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.group],
        "summary": operation.summary,
        "responses": {
            "200": {"description": operation.summary, "content": _content(operation.gives)},
            **failures,
        },
    }
    if "{version}" in operation.path:
        found["parameters"] = [_VERSION]
    if operation.takes:
        content = _content(operation.takes)
        content[_JSON]["example"] = operation.example
        found["requestBody"] = {"required": True, "content": content}
    return found


def _content(schemas: dict[str, str]) -> dict[str, Any]:
    return {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}} for kind, name in schemas.items()}


def _schemas(manifest: Manifest) -> dict[str, Any]:
    return {
        "Row": row_schema(manifest),
        "Rows": listed("rows", {"$ref": "#/components/schemas/Row"}),
        "Predictions": predictions_schema(manifest),
        "Explained": explained_schema(manifest),
        "Outcomes": listed("outcomes", outcome_schema(manifest)),
        "OutcomesTaken": taken_schema(),
        **protocol_schemas(manifest),
        "Live": _flag("live"),
        "Ready": _flag("ready"),
        "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
        "Text": {"type": "string"},
        "Binary": {
            "type": "string",
            "format": "binary",
            "description": "JSON of the length that the header Inference-Header-Content-Length gives, then the tensors",
        },
        "Any": {"type": "object"},
    }


def _flag(name: str) -> dict[str, Any]:
    return {"type": "object", "required": [name], "properties": {name: {"type": "boolean"}}}


def _example_row(manifest: Manifest) -> dict[str, Any]:
    return {field.name: field.example for field in manifest.inputs}
