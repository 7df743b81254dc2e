"""What a worker serves: the release plan with its models loaded, replaced as a whole with each new plan."""

import asyncio
import time
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vitok.charter.predicates import Condition, Read, Test, compile_condition
from vitok.errors import Refused, VitokError
from vitok.model.bundle import load_outliers
from vitok.model.runtime import Model, load_model
from vitok.model.schema import RequestSchema, Rows
from vitok.release.decide import Decider
from vitok.release.plan import Arm, Plan
from vitok.release.policy import Policy
from vitok.serve.apart import run_apart
from vitok.serve.cache import ScoreCache
from vitok.serve.http import log
from vitok.serve.trouble import Breaker, Trouble
from vitok.store.blobs import Blobs

POLL_SECONDS = 0.5
_RETRY_SECONDS = 5.0
_LOAD_SECONDS = 120.0  # a model that does not answer its example by then never will


class Served(NamedTuple):
    """One arm of the plan, ready to answer."""

    arm: Arm
    model: Model
    schema: RequestSchema
    decider: Decider
    breaker: Breaker
    cache: ScoreCache | None

    @property
    def shape(self) -> list[tuple[str, str, bool]]:
        """What decides whether two arms take the same rows."""
        return [(field.name, field.kind, field.nullable) for field in self.model.manifest.inputs]


class Deployment:
    """A plan whose models are all loaded and warm; never changed, only replaced.

    Args:
        models: The model of each arm, by digest.
    """

    def __init__(self, plan: Plan, models: Mapping[str, Model], blobs: Blobs, trouble: Trouble) -> None:
        self.plan = plan
        self.models = models
        names = {field.name for model in models.values() for field in model.manifest.inputs}

        def served(arm: Arm) -> Served:
            model = models[arm.digest]
            schema = RequestSchema(model.manifest, names)
            decider = _decider(plan.policy, model, schema, blobs)
            policy = plan.policy
            cache = ScoreCache(model, policy.cache_rows, policy.cache_seconds) if policy.cache_rows else None
            return Served(arm, model, schema, decider, trouble.breaker(arm.digest), cache)

        self.served = {arm.version: served(arm) for arm in plan.arms}
        self.champion = self.served[plan.champion.version]
        self.shadows = [self.served[arm.version] for arm in plan.shadows]
        self._tests = _tests(plan, self.champion.schema)
        self.trouble = trouble
        self.is_routed = len(plan.live) > 1
        self.unrecorded = plan.policy.unrecorded == "answer"
        self.fallback = None if plan.fallback is None else served(plan.fallback)

    def fits(self, rows: Rows, condition: Condition) -> npt.NDArray[np.bool_]:
        """For each row whether it meets a condition of the plan's arms for certain."""
        test = self._tests[condition]
        return np.array([test(row) is True for row in rows.found], dtype=np.bool_)

    def spare_of(self, failed: Served) -> Served | None:
        """Who answers for a version that fails: the champion for all others, for itself the version before."""
        if failed is not self.champion and self.plan.policy.previous:
            return self.champion
        return self.fallback

    def find(self, version: int) -> Served | None:
        """The arm or the fallback of this version."""
        if self.fallback is not None and self.fallback.arm.version == version:
            return self.fallback
        return self.served.get(version)

    @property
    def in_trouble(self) -> bool:
        """Whether a version is at rest."""
        return any(served.breaker.is_open for served in self.served.values())


def _tests(plan: Plan, schema: RequestSchema) -> dict[Condition, Test]:
    conditions = [arm.when for arm in plan.arms if arm.when is not None]
    return {condition: compile_condition(condition, _reader(schema)) for condition in conditions}


def _reader(schema: RequestSchema) -> Read:
    attributes = schema.attributes
    return lambda name: attrgetter(attributes[name]) if name in attributes else lambda row: None


def _decider(policy: Policy, model: Model, schema: RequestSchema, blobs: Blobs) -> Decider:
    outliers = None if policy.outlier is None else load_outliers(model.manifest, blobs)
    threshold = model.manifest.threshold if model.manifest.positive is not None else None
    return Decider(policy, _reader(schema), threshold, outliers)


def load_deployment(plan: Plan, blobs: Blobs, loaded: Mapping[str, Model], trouble: Trouble) -> Deployment:
    """Loads and warms every model of a plan that is not loaded yet.

    Raises:
        Refused: the plan has no accepted verdict for one of its bundles.
        VitokError: a bundle cannot be loaded.
    """
    models = {}
    for arm in (*plan.arms, *([] if plan.fallback is None else [plan.fallback])):
        if not plan.is_accepted(arm.digest):
            raise Refused(
                f"release plan {plan.epoch}, version {arm.version}",
                f"bundle {arm.digest[:12]} has no accepted verdict",
                "Only accepted versions are served: `vitok release` makes such plans.",
            )
        if arm.digest not in loaded:
            models[arm.digest] = load_model(blobs, arm.digest, version=arm.version)
            models[arm.digest].warm_up()
        else:
            models[arm.digest] = loaded[arm.digest]
    return Deployment(plan, models, blobs, trouble)


class PlanWatcher:
    """Follows the plan file: a new plan serves once all its models are warm, until then the old one does.

    Args:
        folder: The project's `.vitok` folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "plan.json"
        self.blobs = Blobs(folder / "blobs")
        self.trouble = Trouble(folder / "trouble")
        self._seen: tuple[int, int, int] | None = None
        self._retry_at = 0.0
        self._hangs = False
        self.current: Deployment | None = None
        self.problem: str | None = None

    async def watch(self) -> None:
        """Looks at the file again and again, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self.poll()

    async def poll(self) -> None:
        """Looks at the file once and takes a changed plan over; problems are kept in `problem`."""
        mark = self._mark()
        is_due = self.problem is not None and not self._hangs and time.monotonic() >= self._retry_at
        if mark is None or (mark == self._seen and not is_due):
            return
        self._hangs = False
        self._seen, self._retry_at = mark, time.monotonic() + _RETRY_SECONDS
        try:
            async with asyncio.timeout(_LOAD_SECONDS):
                self.current = await run_apart(self._load)
        except TimeoutError:
            self._hangs = True  # to try it again would only start another thread that never ends
            self.problem = f"a model of the new release plan did not load in {_LOAD_SECONDS:g} s"
            log.error("%s", self.problem)
        except (VitokError, OSError) as error:
            if str(error) != self.problem:
                log.error("the new release plan cannot be served: %s", error)
            self.problem = str(error)
        except Exception as error:  # a plan must never end the watch
            log.exception("the new release plan cannot be served")
            self.problem = f"{type(error).__name__}: see the log"
        else:
            self.problem = None
            log.info(
                "release plan %s: serving version %s",
                self.current.plan.epoch,
                self.current.champion.arm.version,
            )

    def _load(self) -> Deployment:
        plan = Plan.from_json(self._path.read_bytes())
        return load_deployment(plan, self.blobs, self.current.models if self.current else {}, self.trouble)

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None  # between two plans, or a disk that is away: the plan in memory stays
        return status.st_mtime_ns, status.st_ino, status.st_size
