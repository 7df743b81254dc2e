"""What the data plane tells of itself: health, metadata, statistics, figures, and its own description."""

from vitok import __version__
from vitok.errors import NotFound
from vitok.kernel.clock import Clock
from vitok.model.bundle import Manifest
from vitok.serve import v2
from vitok.serve.deployment import Deployment, PlanWatcher
from vitok.serve.http import Handler, HttpProblem, Request, Response, json_response
from vitok.serve.metrics import Metrics
from vitok.serve.openapi import describe
from vitok.serve.page import docs_page
from vitok.serve.predict import served_version
from vitok.serve.status_page import Standing, status_page

_VERSION_DIGITS = 9


class About:
    """The handlers of what can be read, and which deployment answers."""

    def __init__(self, clock: Clock, watcher: PlanWatcher, metrics: Metrics) -> None:
        self._clock = clock
        self._watcher = watcher
        self._metrics = metrics

    def routes(self) -> dict[str, dict[str, Handler]]:
        """As `Endpoints.routes`."""
        return {
            "health/live": {"GET": self._is_live},
            "health/ready": {"GET": self._is_ready},
            "metrics": {"GET": self._show_metrics},
            "openapi.json": {"GET": self._show_openapi},
            "docs": {"GET": self._show_docs},
            "status": {"GET": self._show_status},
            "v2": {"GET": self._show_server},
            "v2/health/live": {"GET": self._is_live},
            "v2/health/ready": {"GET": self._is_ready},
            "v2/repository/index": {"POST": self._show_index, "GET": self._show_index},
            "v2/models/*": {"GET": self._show_model},
            "v2/models/*/ready": {"GET": self._is_model_ready},
            "v2/models/*/versions/*": {"GET": self._show_model},
            "v2/models/*/versions/*/ready": {"GET": self._is_model_ready},
            "v2/models/*/stats": {"GET": self._show_statistics},
            "v2/models/*/versions/*/stats": {"GET": self._show_statistics},
            "ping": {"GET": self._is_pinged},
            "health": {"GET": self._is_pinged},
            "version": {"GET": self._show_version},
        }

    def deployment(self, names: list[str] | None = None) -> Deployment:
        """The deployment that answers for a model.

        Raises:
            HttpProblem: nothing is released (503).
            NotFound: the first name is not that of the model.
        """
        deployment = self._watcher.current
        if deployment is None:
            why = self._watcher.problem or "no version has been released"
            raise HttpProblem(503, f"no model is served: {why}. Release one with `vitok release VERSION`")
        if names and names[0] != deployment.plan.project:
            raise NotFound(
                f"model {names[0]!r}", "is not served here", f"This server has {deployment.plan.project!r}."
            )
        return deployment

    async def _is_live(self, request: Request, names: list[str]) -> Response:
        return json_response({"live": True})

    async def _is_ready(self, request: Request, names: list[str]) -> Response:
        plan = self.deployment().plan
        return json_response({"ready": True, "epoch": plan.epoch, "problem": self._watcher.problem})

    async def _is_model_ready(self, request: Request, names: list[str]) -> Response:
        served = served_version(self.deployment(names), version_of(names))
        return json_response({"name": names[0], "version": str(served.arm.version), "ready": True})

    async def _show_server(self, request: Request, names: list[str]) -> Response:
        return json_response(v2.server_metadata())

    async def _show_model(self, request: Request, names: list[str]) -> Response:
        if names == ["stats"] != [self.deployment().plan.project]:  # Triton's address for those of all models
            return await self._show_statistics(request, [])
        deployment = self.deployment(names)
        return json_response(v2.model_metadata(deployment, served_version(deployment, version_of(names))))

    async def _show_index(self, request: Request, names: list[str]) -> Response:
        return json_response(v2.repository_index(self._watcher.current))

    async def _show_statistics(self, request: Request, names: list[str]) -> Response:
        deployment, version = self.deployment(names), version_of(names)
        asked = deployment.served if version is None else [served_version(deployment, version).arm.version]
        counts = {number: self._metrics.predicted(number) for number in asked}
        return json_response(v2.model_statistics(deployment.plan.project, counts))

    async def _is_pinged(self, request: Request, names: list[str]) -> Response:
        self.deployment()
        return Response(200, b"\n", b"text/plain; charset=utf-8")

    async def _show_version(self, request: Request, names: list[str]) -> Response:
        return Response(200, __version__.encode(), b"text/plain; charset=utf-8")

    async def _show_metrics(self, request: Request, names: list[str]) -> Response:
        epoch = self._watcher.current.plan.epoch if self._watcher.current else None
        text, kind = self._metrics.render(epoch, request.headers.get(b"accept", b""))
        return Response(200, text, kind)

    async def _show_openapi(self, request: Request, names: list[str]) -> Response:
        return json_response(describe(*self._described()))

    async def _show_docs(self, request: Request, names: list[str]) -> Response:
        return docs_page(*self._described(), request.headers.get(b"host", b""))

    async def _show_status(self, request: Request, names: list[str]) -> Response:
        return status_page(
            Standing(
                self._watcher.current, self._watcher.problem, *self._metrics.standing(), now=self._clock()
            )
        )

    def _described(self) -> tuple[str, Manifest | None]:
        deployment = self._watcher.current
        if deployment is None:
            return "a project without a release", None
        return deployment.plan.project, deployment.champion.model.manifest


def version_of(names: list[str]) -> int | None:
    """The version that a path names; None if it names none.

    Raises:
        NotFound: what it names is no number.
    """
    if len(names) < 2:
        return None
    if not names[1].isdecimal() or len(names[1]) > _VERSION_DIGITS:
        raise NotFound(
            f"version {names[1][:40]!r}", "is no number", "Give the number that `vitok models` shows."
        )
    return int(names[1])
