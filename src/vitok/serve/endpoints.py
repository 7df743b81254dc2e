"""What each address of the data plane answers."""

import asyncio
from collections.abc import Awaitable, Callable

from vitok import __version__
from vitok.errors import NotFound
from vitok.kernel.clock import Clock
from vitok.model.bundle import Manifest
from vitok.serve import invocations, v2
from vitok.serve.batcher import Batcher
from vitok.serve.deployment import Deployment, PlanWatcher
from vitok.serve.explainer import Explainer, require_explainable
from vitok.serve.http import HttpProblem, Request, Response, json_response
from vitok.serve.metrics import Metrics
from vitok.serve.openapi import describe
from vitok.serve.page import docs_page
from vitok.serve.predict import require_few, served_version
from vitok.serve.rows import OutcomeDesk, render_answer, render_outcomes

_INLINE_BYTES = 16 * 2**10  # a larger body is read and scored in a thread, so that other requests do not wait

_VERSION_DIGITS = 9

Handler = Callable[[Request, list[str]], Awaitable[Response]]


class Endpoints:
    """The handlers of one worker."""

    def __init__(
        self,
        clock: Clock,
        watcher: PlanWatcher,
        batcher: Batcher,
        desk: OutcomeDesk,
        metrics: Metrics,
    ) -> None:
        self._clock = clock
        self._watcher = watcher
        self._batcher = batcher
        self._desk = desk
        self._metrics = metrics
        self._explainer = Explainer(watcher._blobs)

    def routes(self) -> dict[str, dict[str, Handler]]:
        """Handlers by path and method; `*` stands for any part of a path, and is handed to the handler."""
        return {
            "health/live": {"GET": self._is_live},
            "health/ready": {"GET": self._is_ready},
            "metrics": {"GET": self._show_metrics},
            "openapi.json": {"GET": self._show_openapi},
            "docs": {"GET": self._show_docs},
            "models/*/predict": {"POST": self._predict},
            "models/*/explain": {"POST": self._explain},
            "models/*/outcomes": {"POST": self._take_outcomes},
            "v2": {"GET": self._show_server},
            "v2/health/live": {"GET": self._is_live},
            "v2/health/ready": {"GET": self._is_ready},
            "v2/repository/index": {"POST": self._show_index, "GET": self._show_index},
            "v2/models/*": {"GET": self._show_model},
            "v2/models/*/ready": {"GET": self._is_model_ready},
            "v2/models/*/infer": {"POST": self._infer},
            "v2/models/*/versions/*": {"GET": self._show_model},
            "v2/models/*/versions/*/ready": {"GET": self._is_model_ready},
            "v2/models/*/versions/*/infer": {"POST": self._infer},
            "v2/models/*/stats": {"GET": self._show_statistics},
            "v2/models/*/versions/*/stats": {"GET": self._show_statistics},
            "invocations": {"POST": self._invoke},
            "ping": {"GET": self._is_pinged},
            "health": {"GET": self._is_pinged},
            "version": {"GET": self._show_version},
        }

    def _deployment(self, names: list[str] | None = None) -> Deployment:
        deployment = self._watcher.current
        if deployment is None:
            why = self._watcher.problem or "no version has been released"
            raise HttpProblem(503, f"no model is served: {why}. Release one with `vitok release VERSION`")
        if names and names[0] != deployment.plan.project:
            raise NotFound(
                f"model {names[0]!r}", "is not served here", f"This server has {deployment.plan.project!r}."
            )
        return deployment

    async def _predict(self, request: Request, names: list[str]) -> Response:
        deployment, received = self._deployment(names), self._clock()
        body, decode = request.body, deployment.champion.schema.decode
        rows = require_few(
            decode(body) if len(body) <= _INLINE_BYTES else await asyncio.to_thread(decode, body)
        )
        answer = await self._batcher.answer(deployment, rows, received)
        self._metrics.count_predictions(answer.records)
        return render_answer(deployment, answer)

    async def _explain(self, request: Request, names: list[str]) -> Response:
        deployment, received = self._deployment(names), self._clock()
        rows = require_explainable(deployment.champion.schema.decode(request.body))
        answer = await self._batcher.answer(deployment, rows, received)
        self._metrics.count_predictions(answer.records)
        plain = render_answer(deployment, answer)
        return await asyncio.to_thread(self._explainer.explained, deployment, rows, answer, plain)

    async def _infer(self, request: Request, names: list[str]) -> Response:
        deployment, received, version = self._deployment(names), self._clock(), _version(names)
        given = (deployment, request.body, request.headers, version)
        if len(request.body) <= _INLINE_BYTES:
            asked = v2.read_request(*given)
        else:
            asked = await asyncio.to_thread(v2.read_request, *given)
        answer = await self._batcher.answer(deployment, require_few(asked.rows), received, version)
        self._metrics.count_predictions(answer.records)
        return v2.render_answer(deployment, asked, answer, version)

    async def _invoke(self, request: Request, names: list[str]) -> Response:
        try:
            deployment, received = self._deployment(), self._clock()
            served, kind = deployment.champion, request.headers.get(b"content-type", b"")
            given = (served.schema, request.body, kind)
            if len(request.body) <= _INLINE_BYTES:
                asked = invocations.read_invocation(*given)
            else:
                asked = await asyncio.to_thread(invocations.read_invocation, *given)
            answer = await self._batcher.answer(deployment, require_few(asked.rows), received)
        except Exception as error:  # MLflow's clients read errors of another form
            return invocations.explain_failure(error)
        self._metrics.count_predictions(answer.records)
        return invocations.render_predictions(served.model.manifest, asked.params, answer)

    async def _take_outcomes(self, request: Request, names: list[str]) -> Response:
        manifest = self._deployment(names).champion.model.manifest
        found, problems = await self._desk.take(manifest, request.body, self._clock())
        for result, outcomes in found._asdict().items():
            self._metrics.count_outcomes(result, len(outcomes))
        return render_outcomes(found, problems)

    async def _is_live(self, request: Request, names: list[str]) -> Response:
        return json_response({"live": True})

    async def _is_ready(self, request: Request, names: list[str]) -> Response:
        plan = self._deployment().plan
        return json_response({"ready": True, "epoch": plan.epoch, "problem": self._watcher.problem})

    async def _is_model_ready(self, request: Request, names: list[str]) -> Response:
        served = served_version(self._deployment(names), _version(names))
        return json_response({"name": names[0], "version": str(served.arm.version), "ready": True})

    async def _show_server(self, request: Request, names: list[str]) -> Response:
        return json_response(v2.server_metadata())

    async def _show_model(self, request: Request, names: list[str]) -> Response:
        if (
            names == ["stats"] != [self._deployment().plan.project]
        ):  # Triton's address for those of all models
            return await self._show_statistics(request, [])
        deployment = self._deployment(names)
        return json_response(v2.model_metadata(deployment, served_version(deployment, _version(names))))

    async def _show_index(self, request: Request, names: list[str]) -> Response:
        return json_response(v2.repository_index(self._watcher.current))

    async def _show_statistics(self, request: Request, names: list[str]) -> Response:
        deployment, version = self._deployment(names), _version(names)
        asked = deployment.served if version is None else [served_version(deployment, version).arm.version]
        counts = {number: self._metrics.predicted(number) for number in asked}
        return json_response(v2.model_statistics(deployment.plan.project, counts))

    async def _is_pinged(self, request: Request, names: list[str]) -> Response:
        self._deployment()
        return Response(200, b"\n", b"text/plain; charset=utf-8")

    async def _show_version(self, request: Request, names: list[str]) -> Response:
        return Response(200, __version__.encode(), b"text/plain; charset=utf-8")

    async def _show_metrics(self, request: Request, names: list[str]) -> Response:
        epoch = self._watcher.current.plan.epoch if self._watcher.current else None
        return Response(200, self._metrics.render(epoch), b"text/plain; version=0.0.4")

    async def _show_openapi(self, request: Request, names: list[str]) -> Response:
        return json_response(describe(*self._described()))

    async def _show_docs(self, request: Request, names: list[str]) -> Response:
        return docs_page(*self._described(), request.headers.get(b"host", b""))

    def _described(self) -> tuple[str, Manifest | None]:
        deployment = self._watcher.current
        if deployment is None:
            return "a project without a release", None
        return deployment.plan.project, deployment.champion.model.manifest


def _version(names: list[str]) -> int | None:
    if len(names) < 2:
        return None
    if not names[1].isdecimal() or len(names[1]) > _VERSION_DIGITS:
        raise NotFound(
            f"version {names[1][:40]!r}", "is no number", "Give the number that `vitok models` shows."
        )
    return int(names[1])
