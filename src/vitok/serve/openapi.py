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
_V2 = "Open Inference Protocol V2"
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


_INTERVAL = {
    "name": "interval",
    "in": "query",
    "required": False,
    "description": "Whether each prediction tells how sure it is",
    "schema": {"type": "boolean", "default": False},
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
        parameters: What may be asked behind `?`, or is a part of the path.
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
    parameters: tuple[dict[str, Any], ...] = ()

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
    return [
        *_row_operations(f"/models/{project}", manifest),
        *_v2_operations(project, manifest),
        *_mlflow_operations(manifest),
        *_service_operations(),
    ]


def _row_operations(base: str, manifest: Manifest) -> list[Operation]:
    def post(name: str, summary: str, takes: str, gives: str, example: Any) -> Operation:
        content = ({_JSON: takes}, {_JSON: gives}, example, tuple(_FAILURES))
        return Operation("post", f"{base}/{name}", "Rows", summary, *content)

    rows = {"rows": [_example_row(manifest)]}
    why = "Predictions with what each input added to the score (at most 32 rows)"
    outcomes = {"outcomes": [{"id": "1", "value": manifest.classes[0] if manifest.classes else 1.0}]}
    return [
        post("predict", "Predictions for rows", "Rows", "Predictions", rows)._replace(
            parameters=(_INTERVAL,)
        ),
        post("explain", why, "Rows", "Explained", rows)._replace(parameters=(_INTERVAL,)),
        post("outcomes", "What really happened", "Outcomes", "OutcomesTaken", outcomes),
    ]


def _v2_operations(project: str, manifest: Manifest) -> list[Operation]:
    def get(path: str, summary: str, gives: str, failures: tuple[str, ...]) -> Operation:
        return Operation("get", path, _V2, summary, {}, {_JSON: gives}, failures=failures)

    index = get("/v2/repository/index", "The versions in production", "RepositoryIndex", ("429",))
    found = [
        get("/v2", "The server", "ServerMetadata", ()),
        get("/v2/health/live", "Whether the process answers", "Live", ()),
        get("/v2/health/ready", "Whether a model answers", "Ready", ("503",)),
        index._replace(method="post"),
        index,
    ]
    takes, gives = {_JSON: "InferRequest", _BINARY: "Binary"}, {_JSON: "InferResponse", _BINARY: "Binary"}
    content = (takes, gives, infer_example(manifest), tuple(_FAILURES))
    for base in (f"/v2/models/{project}", f"/v2/models/{project}/versions/{{version}}"):
        failures = ("404", "503") if "{" in base else ("503",)
        versioned: list[Operation] = [
            get(base, "What the model takes and gives", "ModelMetadata", failures),
            get(f"{base}/ready", "Whether it answers", "ModelReady", failures),
            get(f"{base}/stats", "How many rows it has predicted", "Statistics", failures),
            Operation("post", f"{base}/infer", _V2, "Inference", *content),
        ]
        parameters = (_VERSION,) if "{" in base else ()
        found += [operation._replace(parameters=parameters) for operation in versioned]
    return found


def _mlflow_operations(manifest: Manifest) -> list[Operation]:
    def get(path: str, summary: str, failures: tuple[str, ...]) -> Operation:
        return Operation("get", path, "MLflow", summary, {}, {"text/plain": "Text"}, failures=failures)

    summary, takes = "Predictions as MLflow's server answers them", {_JSON: "Invocation", "text/csv": "Text"}
    content = (takes, {_JSON: "InvocationAnswer"}, invocation_example(manifest), tuple(_FAILURES))
    return [
        Operation("post", "/invocations", "MLflow", summary, *content, "InvocationError"),
        get("/ping", "Whether a model answers", ("503",)),
        get("/health", "Whether a model answers", ("503",)),
        get("/version", "Version of the server", ()),
    ]


def _service_operations() -> list[Operation]:
    def get(path: str, summary: str, kind: str, schema: str, failures: tuple[str, ...] = ()) -> Operation:
        return Operation("get", path, "Service", summary, {}, {kind: schema}, failures=failures)

    return [
        get("/health/live", "Whether the process answers", _JSON, "Live"),
        get("/health/ready", "Whether a model answers", _JSON, "Ready", ("503",)),
        get("/metrics", "Figures for Prometheus", "text/plain", "Text"),
        get("/openapi.json", "This description", _JSON, "Any"),
        get("/docs", "This description as a page", "text/html", "Text"),
        get("/status", "How the server is, as a page", "text/html", "Text"),
    ]


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
    if operation.parameters:
        found["parameters"] = list(operation.parameters)
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
