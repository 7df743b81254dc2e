"""What each address of the data plane answers."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar, TypeVarTuple

from vitok.kernel.clock import Clock
from vitok.model.schema import Rows
from vitok.serve import invocations, v2
from vitok.serve.about import About, version_of
from vitok.serve.apart import run_apart
from vitok.serve.batcher import Batcher
from vitok.serve.deployment import Deployment, PlanWatcher
from vitok.serve.explainer import Explainer, require_explainable
from vitok.serve.http import Handler, Request, Response
from vitok.serve.intervals import wants_intervals
from vitok.serve.metrics import Metrics
from vitok.serve.predict import Answer, require_few, too_late
from vitok.serve.probing import Probing
from vitok.serve.rows import OutcomeDesk, render_answer, render_outcomes
from vitok.serve.v2_extras import EXPLANATION

_INLINE_BYTES = 64 * 2**10  # a larger body is read in a thread, so that other requests do not wait
Given = TypeVarTuple("Given")
Read = TypeVar("Read")


class Endpoints:
    """The handlers of one worker."""

    def __init__(
        self,
        clock: Clock,
        watcher: PlanWatcher,
        batcher: Batcher,
        desk: OutcomeDesk,
        metrics: Metrics,
        probing: Probing | None = None,
    ) -> None:
        self._clock = clock
        self._batcher = batcher
        self._desk = desk
        self._metrics = metrics
        self._probing = probing
        self._about = About(clock, watcher, metrics)
        self._deployment = self._about.deployment
        self._explainer = Explainer(watcher.blobs)

    def routes(self) -> dict[str, dict[str, Handler]]:
        """Handlers by path and method; `*` stands for any part of a path, and is handed to the handler."""
        return {
            "models/*/predict": {"POST": self._predict},
            "models/*/explain": {"POST": self._explain},
            "models/*/outcomes": {"POST": self._take_outcomes},
            "v2/models/*/infer": {"POST": self._infer},
            "v2/models/*/versions/*/infer": {"POST": self._infer},
            "invocations": {"POST": self._invoke},
            **self._about.routes(),
        }

    async def _predict(self, request: Request, names: list[str]) -> Response:
        deployment, received = self._deployment(names), self._clock()
        intervals = wants_intervals(request.query)
        rows = await _read(request, deployment.champion.schema.decode, request.body)
        answer = await self._answer(request, deployment, rows, received)
        return render_answer(deployment, answer, intervals=intervals)

    async def _explain(self, request: Request, names: list[str]) -> Response:
        deployment, received = self._deployment(names), self._clock()
        intervals = wants_intervals(request.query)
        rows = require_explainable(await _read(request, deployment.champion.schema.decode, request.body))
        answer = await self._answer(request, deployment, rows, received)
        plain = render_answer(deployment, answer, intervals=intervals)
        return await _in_time(deployment, partial(self._explainer.explained, deployment, rows, answer, plain))

    async def _infer(self, request: Request, names: list[str]) -> Response:
        deployment, received, version = self._deployment(names), self._clock(), version_of(names)
        given = (deployment, request.body, request.headers, version)
        asked = await _read(request, v2.read_request, *given)
        if EXPLANATION not in asked.outputs:
            answer = await self._answer(request, deployment, asked.rows, received, version)
            return v2.render_answer(deployment, asked, answer, version)
        rows = require_explainable(asked.rows)
        answer = await self._answer(request, deployment, rows, received, version)
        found = await _in_time(deployment, partial(self._explainer.explanations, deployment, rows, answer))
        return v2.render_answer(deployment, asked, answer, version, found)

    async def _invoke(self, request: Request, names: list[str]) -> Response:
        try:
            deployment, received = self._deployment(), self._clock()
            served, kind = deployment.champion, request.headers.get(b"content-type", b"")
            asked = await _read(request, invocations.read_invocation, served.schema, request.body, kind)
            answer = await self._answer(request, deployment, asked.rows, received)
        except Exception as error:  # MLflow's clients read errors of another form
            return invocations.explain_failure(error)
        return invocations.render_predictions(served.model.manifest, asked.params, answer)

    async def _answer(
        self,
        request: Request,
        deployment: Deployment,
        rows: Rows,
        received: datetime,
        version: int | None = None,
    ) -> Answer:
        answer = await self._batcher.answer(deployment, require_few(rows), received, version)
        self._metrics.count_predictions(answer.records, recorded=answer.recorded)
        if answer.error is not None:
            raise answer.error
        if self._probing is not None and request.caller is not None:
            self._probing.look(request.caller, deployment, rows, answer)
        return answer

    async def _take_outcomes(self, request: Request, names: list[str]) -> Response:
        manifest = self._deployment(names).champion.model.manifest
        found, problems = await self._desk.take(manifest, request.body, self._clock())
        for result, outcomes in found._asdict().items():
            self._metrics.count_outcomes(result, len(outcomes))
        return render_outcomes(found, problems)


async def _in_time(deployment: Deployment, work: Callable[[], Read]) -> Read:
    """What a model is asked beside the answer, in a thread apart; given up when the time of a request is over."""
    try:
        async with asyncio.timeout(deployment.plan.policy.timeout_seconds):
            return await run_apart(work)
    except TimeoutError:
        raise too_late(deployment) from None


async def _read(request: Request, work: Callable[[*Given], Read], *given: *Given) -> Read:
    """Reads a body, in a thread if it is large."""
    if len(request.body) <= _INLINE_BYTES:
        return work(*given)
    return await asyncio.to_thread(work, *given)
