"""The loop in a world that one number decides: a clock that jumps, people, alerts, and crashes at any write.

What runs is the product: turns with their steps, verdicts, approvals, releases, roll-outs, plan file, audit log, spools
and mover. Put in their place are only learning (bundles that were made before), what production shows of a roll-out
(drawn), the workflow engine (its promise: what a finished step gave is known after a crash), and the lake (its
promise: a writer's sequence is added once). A crash is an exception that no code catches, at a store's write: before
it, after it, or in the middle of it.
"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import polars as pl
from sqlalchemy import create_engine, event

from examples import flight_bundle
from vitok.errors import VitokError
from vitok.evaluate.gates import Gate
from vitok.govern import audit
from vitok.journal.ledger import MemoryLedger
from vitok.journal.mover import move
from vitok.journal.records import Outcome, Prediction
from vitok.journal.spool import Spool
from vitok.kernel.clock import VirtualClock
from vitok.loop import approving, rollout, tick, turn, turns
from vitok.loop.assemble import Assembled
from vitok.loop.observe import Observed
from vitok.loop.outcome_values import NO_FIGURES
from vitok.loop.project import Project
from vitok.loop.release import PLAN_FILE, publish_plan
from vitok.loop.verdict import Verdict
from vitok.loop.watch import Watched
from vitok.model.bundle import load_manifest
from vitok.monitor.alerts import Alert
from vitok.registry import releases, requests, rollouts, versions
from vitok.registry import turns as registered
from vitok.release.guards import Finding
from vitok.release.plan import ACCEPTED, Plan
from vitok.release.rollout import OPEN, Evidence
from vitok.store.blobs import Blobs
from vitok.wire import open_project

START = datetime(2026, 1, 5, tzinfo=UTC)
CHARTER = """\
project: flights
goal: {statement: Warn early}
task: {type: binary, target: late, id: flight, entity: tail, time: departure, label_delay: 4h}
data: {sources: {flights: flights.csv}}
accept: [roc_auc > baseline]
release: {strategy: canary, shares: [10%, 50%], step: 1h, max_hours: 48, guard: {errors: 1.5x}}
approve: {low: auto, medium: [ml_engineer], high: [domain_expert, product_owner], within: 3d}
retrain: {on: [schedule(daily), drift], cooldown: 12h, budget: 5 per 7d}
notify: [{url: "https://chat.example.org", on: [verdict, question, release, rollback]}]
team: {ada: [ml_engineer], bob: [domain_expert], eve: [product_owner, domain_expert], kim: [product_owner]}
"""
PEOPLE = ("ada", "bob", "eve", "kim", "mallory")
STRATEGIES = (None, "immediate", "blue-green")
BUNDLES = 12


class Crash(BaseException):
    """The process is gone."""


class Crashes:
    """Ends the process at a write that was chosen before, or lets it live."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.left: int | None = None
        self.dead = False

    @contextmanager
    def perhaps(self) -> Iterator[None]:
        """The process may die in the block, at one of its next writes."""
        self.left = self._rng.randrange(60) if self._rng.random() < 0.6 else None
        try:
            yield
        except Crash:
            pass
        finally:
            self.left, self.dead = None, False

    def point(self) -> None:
        """A place where it can happen."""
        if self.dead:  # what is gone cannot tidy up
            raise Crash
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.dead = True
                raise Crash

    def wrap(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """A write that may not begin, or whose end nobody learns of."""

        def risky(*words: Any, **more: Any) -> Any:
            self.point()
            found = real(*words, **more)
            self.point()
            return found

        return risky

    def cut_short(self, real: Callable[[int, Any, int], int]) -> Callable[[int, Any, int], int]:
        """A write of bytes of which only the first may arrive."""

        def risky(file: int, data: Any, offset: int) -> int:
            was_dead = self.dead
            try:
                self.point()
            except Crash:
                if not was_dead:
                    real(file, bytes(data)[: self._rng.randrange(len(data) + 1)], offset)
                raise
            found = real(file, data, offset)
            self.point()
            return found

        return risky


class MemoryLake:
    """A lake that keeps the promise of the real one: the rows of a writer's sequence are added once."""

    def __init__(self, crashes: Crashes) -> None:
        self.place = "memory"
        self.tables: dict[str, list[pl.DataFrame]] = {}
        self._last: dict[tuple[str, str], int] = {}
        self._crashes = crashes

    def last_sequence(self, table: str, writer: str) -> int | None:
        return self._last.get((table, writer))

    def append_all(self, table: str, frame: pl.DataFrame, sequences: dict[str, int]) -> bool:
        self._crashes.point()
        assert all(self._last.get((table, writer), -1) < last for writer, last in sequences.items())
        self.tables.setdefault(table, []).append(frame)
        self._last |= {(table, writer): last for writer, last in sequences.items()}
        self._crashes.point()
        return True

    def exists(self, table: str) -> bool:
        return table in self.tables

    def latest(self, table: str) -> int | None:
        return len(self.tables[table]) if table in self.tables else None

    def ids(self, table: str) -> Counter[str]:
        return Counter(key for frame in self.tables.get(table, []) for key in frame["id"].to_list())


_NO_ROWS = MemoryLedger().labelled()


class NoJournal:
    """What a look asks the journal besides what is drawn."""

    def __init__(self) -> None:
        self.labels = 1
        self.none = _NO_ROWS

    def labels_since(self, since: datetime, until: datetime) -> int:
        return self.labels

    def labelled(self, start: datetime, end: datetime, as_of: datetime) -> pl.DataFrame:
        """No rows: whether labels can be trusted is not drawn."""
        return self.none


class Kept:
    """The promise of the workflow engine: what a finished step gave is known, and it does not run again."""

    def __init__(self, done: dict[str, dict[str, Any]], runs: Counter[str], crashes: Crashes) -> None:
        self._done, self._runs, self._crashes = done, runs, crashes

    def do(self, step: Any) -> Any:
        if step.name in self._done:
            return step.load(self._done[step.name])
        self._crashes.point()
        made = step.work()
        stored = step.store(made)
        self._crashes.point()
        self._done[step.name] = stored
        self._runs[step.name] += 1
        self._crashes.point()
        return made


def make_template(folder: Path) -> None:
    """What every world starts from: a project with an empty database, and bundles as turns would make them."""
    folder.mkdir(parents=True)
    (folder / "vitok.yaml").write_text(CHARTER)
    (folder / "expectations.yaml").write_text("columns: {}\n")
    (folder / "flights.csv").write_text("late\n")
    open_project(folder, clock=VirtualClock(START)).engine.dispose()
    blobs = Blobs(folder / ".vitok" / "blobs")
    names = []
    for number in range(BUNDLES):
        changes = {"parameters": {"C": number % 3}, "algorithm": "linear" if number % 5 else "lightgbm"}
        names.append(
            flight_bundle(blobs, number / 10, created=f"2026-01-{number + 1:02}T00:00:00Z", **changes)
        )
    (folder / "bundles").write_text("\n".join(names))


class World:
    """One project with its people and its disks, all of it decided by a seed.

    Args:
        template: As `make_template` made it.
        folder: A new one, best in memory.
    """

    def __init__(self, template: Path, folder: Path, seed: int) -> None:
        shutil.copytree(template, folder)
        self.rng = random.Random(seed)
        self.crashes = Crashes(self.rng)
        self.clock = VirtualClock(START)
        self.lake = MemoryLake(self.crashes)
        self.journal = NoJournal()
        self.alerts: dict[str, Alert] = {}
        self.steps: dict[str, dict[str, dict[str, Any]]] = {}
        self.runs: dict[str, Counter[str]] = {}
        self.acknowledged: list[str] = []
        self.outcomes: set[str] = set()
        self.spools: dict[str, Spool] = {}
        self.count = 0
        self.bundles = (folder / "bundles").read_text().split()
        self.engine = create_engine(f"sqlite:///{folder}/.vitok/state.sqlite")
        event.listen(self.engine, "connect", _fast)
        event.listen(self.engine, "begin", lambda connection: self.crashes.point())
        event.listen(self.engine, "commit", lambda connection: self.crashes.point())
        document = open_document(folder)
        self.project = Project(
            folder=folder,
            state=folder / ".vitok",
            document=document,
            engine=self.engine,
            lake=self.lake,  # type: ignore[arg-type]
            blobs=Blobs(folder / ".vitok" / "blobs"),
            clock=self.clock,
            tracker=None,
            say=lambda line: None,
            workflows="kept",
        )

    def live(self, acts: int) -> None:
        """A number of acts, each of which may end in a crash; then a time of peace in which all must come right."""
        with self._instead():
            if self.rng.random() < 0.8:
                self._begin()
            for _ in range(acts):
                act = self.rng.choice(self._acts())
                with self.crashes.perhaps():
                    self._attempt(act)
                self.clock.move_to(
                    self.clock() + timedelta(minutes=self.rng.choice((1, 10, 60, 60, 300, 900)))
                )
                self.check()
            for _ in range(6):
                self._attempt(self._look)
                self.clock.move_to(self.clock() + timedelta(hours=13))
            self._attempt(self._move)
            self.check()
            self.check_at_rest()

    def _begin(self) -> None:
        """A first version is in production."""
        for _ in range(20):
            self._attempt(partial(turn.run_turn, self.project, quick=True, actor="ada"))
            with self.engine.connect() as connection:
                known = versions.all_versions(connection)
            if known and known[-1].verdict == ACCEPTED:
                break
        release = partial(rollout.release_version, self.project, self.journal, known[-1].number, actor="ada")
        self._attempt(release)
        for number, who in enumerate(("bob", "kim"), 1):
            said = {"yes": True, "who": who, "reason": "agreed"}
            self._attempt(partial(approving.answer_approval, self.project, f"r1.{number}", **said))
        self._attempt(release)
        self.clock.move_to(self.clock() + timedelta(hours=13))

    def _attempt(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except VitokError:
            return  # somebody is told no

    def _acts(self) -> list[Callable[[], Any]]:
        look = [self._look] * 5
        people = [
            *[self._answer] * 5,
            self._release,
            self._release,
            self._roll_back,
            self._withdraw,
            self._run,
        ]
        return [
            *look,
            *people,
            self._cancel,
            self._weather,
            self._predict,
            self._predict,
            self._report,
            self._move,
        ]

    def _look(self) -> None:
        publish_plan(self.project)
        tick.tick(self.project, self.journal, self.project.document.rules.triggers)  # type: ignore[arg-type]

    def _run(self) -> None:
        turn.run_turn(self.project, quick=True, actor=self.rng.choice(PEOPLE))

    def _cancel(self) -> None:
        with self.engine.connect() as connection:
            known = registered.all_turns(connection)
        if known:
            chosen = self.rng.choice(known)
            act = turns.cancel_turn if self.rng.random() < 0.5 else turns.resume_turn
            act(self.project, chosen.id, actor=self.rng.choice(PEOPLE))

    def _release(self) -> None:
        with self.engine.connect() as connection:
            known = versions.all_versions(connection)
        if known:
            strategy = self.rng.choice(STRATEGIES)
            number = self.rng.choice(known).number
            rollout.release_version(
                self.project,
                self.journal,
                number,
                strategy=strategy,
                actor=self.rng.choice(PEOPLE),  # type: ignore[arg-type]
            )

    def _roll_back(self) -> None:
        if self.rng.random() < 0.3:
            rollout.end_by_hand(self.project, actor=self.rng.choice(PEOPLE), reason="by hand")

    def _answer(self) -> None:
        """People answer what they are asked; most of them are the right ones, and some try what they may not."""
        with self.engine.connect() as connection:
            asked = [
                each
                for request in requests.all_open(connection)
                for each in requests.approvals_of(connection, request.number)
                if each.answer is None
            ]
        for each in asked:
            able = [who for who, roles in self.project.charter.team.items() if each.role in roles]
            who = self.rng.choice(able if self.rng.random() < 0.8 else PEOPLE)
            said = {"yes": self.rng.random() < 0.95, "who": who, "reason": "so it seems"}
            self._attempt(partial(approving.answer_approval, self.project, each.id, **said))

    def _withdraw(self) -> None:
        with self.engine.connect() as connection:
            asked = requests.all_open(connection)
        if asked:
            name = self.rng.choice([asked[-1].name, f"{asked[-1].name}.1"])
            approving.withdraw(self.project, name, who=self.rng.choice(PEOPLE), reason="on second thoughts")

    def _weather(self) -> None:
        """Alerts come and go, labels come or do not."""
        self.journal.labels = self.rng.choice((0, 1, 50))
        if self.alerts:
            self.alerts = {}
        else:
            runbook, now = self.rng.choice(("inputs", "score")), self.clock()
            alert = Alert("drift", "alarm", now, now, now, ("temp",), "temp moved.", "Look.", runbook)
            self.alerts = {"a1": alert}

    def _predict(self) -> None:
        """A worker records before it answers; one that died is replaced under a new name."""
        worker = self.rng.choice(("w1", "w2"))
        spool = self.spools.pop(worker, None)
        if spool is None:
            self.count += 1
            spool = Spool(self.project.state / "journal", f"{worker}-{self.count}")
        ids = [f"F{len(self.acknowledged)}-{self.rng.random()}" for _ in range(self.rng.randrange(1, 6))]
        now = self.clock()
        records = [
            Prediction(key, key, now, now, 1, "d", "champion", 1, spool.worker, {}, 0.5, True) for key in ids
        ]
        try:
            spool.append(records)
        except Crash:
            spool.close()
            raise
        self.acknowledged += ids  # the answers are sent
        if self.rng.random() < 0.2:
            spool.close()
        else:
            self.spools[worker] = spool

    def _report(self) -> None:
        """Outcomes, some of them twice: the sender did not learn that they had arrived."""
        if not self.acknowledged:
            return
        now, key = self.clock(), self.rng.choice(self.acknowledged)
        spool = next(iter(self.spools.values()), None)
        if spool is not None:
            spool.append([Outcome(key, True, now, now)] * self.rng.choice((1, 1, 2)))
            self.outcomes.add(key)

    def _move(self) -> None:
        move(self.project.state / "journal", self.lake, self.clock())  # type: ignore[arg-type]

    def check(self) -> None:
        """What must hold at every moment."""
        with self.engine.connect() as connection:
            history = releases.all_releases(connection)
            known = {each.number: each for each in versions.all_versions(connection)}
            asked = requests.all_requests(connection)
            agreements = {each.number: requests.approvals_of(connection, each.number) for each in asked}
            done = registered.all_turns(connection)
            assert audit.verify(connection) is None, "the audit log is not whole"
            states = [each.state for each in rollouts.all_rollouts(connection)]
        assert sum(state in OPEN for state in states) <= 1, "two roll-outs at once"
        self._check_releases(history, known, asked, agreements)
        self._check_turns(done, known)
        path = self.project.state / PLAN_FILE
        if path.exists():
            assert Plan.from_json(path.read_bytes()).epoch <= history[-1].epoch, (
                "a plan that was never in force"
            )

    def _check_releases(self, history: Any, known: Any, asked: Any, agreements: Any) -> None:
        assert [each.epoch for each in history] == list(range(1, len(history) + 1))
        for release in history:
            arms = release.plan.arms
            assert sum(arm.role == "champion" for arm in arms) == 1, "not one champion"
            for arm in arms:
                assert known[arm.version].verdict == ACCEPTED, "a version without a verdict answers"
                assert known[arm.version].digest == arm.digest
            if release.evidence.get("risk") in ("medium", "high"):
                self._check_agreed(release, asked, agreements)

    def _check_agreed(self, release: Any, asked: Any, agreements: Any) -> None:
        """A change that people must agree to was agreed to by as many, none of whom made it or wanted it."""
        version = max(release.plan.arms, key=lambda arm: arm.version).version
        wanted = {"medium": {"ml_engineer"}, "high": {"domain_expert", "product_owner"}}[
            release.evidence["risk"]
        ]
        mine = {arm.version for arm in release.plan.arms} | {version}
        for request in (each for each in asked if each.version in mine):
            said = agreements[request.number]
            people = [each.actor for each in said if each.answer == "yes"]
            if len(people) == len(said) and {each.role for each in said} >= wanted:
                assert len(set(people)) == len(people), "one person agreed twice"
                assert not {request.actor, request.author} & set(people), "an author agreed"
                assert all(each.answered < each.expires for each in said), "too late"
                return
        raise AssertionError(f"version {version} was released and nobody agreed")

    def _check_turns(self, done: Any, known: Any) -> None:
        made = Counter(each.turn for each in known.values())
        assert all(count == 1 for count in made.values()), "a turn registered twice"
        for each in done:
            ended = each.state in ("accepted", "refused", "waiting")
            assert ended == (each.id in made), f"turn {each.number} is {each.state}: {each.message}"
        for runs in self.runs.values():
            assert all(count == 1 for count in runs.values()), "a finished step ran again"

    def check_at_rest(self) -> None:
        """What must have come right after a while without crashes."""
        with self.engine.connect() as connection:
            known = registered.all_turns(connection)
            current, going = releases.current(connection), rollouts.current(connection)
        assert "running" not in {each.state for each in known}, "a turn was left behind"
        if known and (known[-1].actor, known[-1].state) == ("vitok", ACCEPTED):
            assert known[-1].settled or going is not None, "an accepted version was left behind"
        if current is not None:
            assert (self.project.state / PLAN_FILE).read_bytes() == current.plan.to_json()
        moved = self.lake.ids("predictions")
        lost = [key for key in self.acknowledged if moved[key] == 0]
        assert not lost, f"acknowledged and lost: {lost[:3]}"
        assert not [key for key, count in moved.items() if count > 1], "a prediction was moved twice"
        assert self.outcomes <= set(self.lake.ids("outcomes")), "an outcome was lost"

    @contextmanager
    def _instead(self) -> Iterator[None]:
        """What stands in the place of learning, of production, of the workflow engine and of the disk."""
        points = self.crashes
        with ExitStack() as stack:
            for place, other in {
                "vitok.loop.turn.run_durably": self._run_kept,
                "vitok.loop.turn.data_stage": self._data,
                "vitok.loop.turn.baselines_stage": _nothing("baselines"),
                "vitok.loop.turn.candidates_stage": _nothing("candidates"),
                "vitok.loop.turn.package_stage": self._package,
                "vitok.loop.turn.verdict_stage": self._verdict,
                "vitok.loop.turn.tracking_stage": lambda *_: None,
                "vitok.loop.turn_stages._importance": lambda *_: {},
                "vitok.loop.tick.watch": lambda *_: Watched([], {}, {}, dict(self.alerts)),
                "vitok.loop.deciding.labels_distrusted": lambda *_: (None, ""),
                "vitok.loop.rollout.observe": self._observe,
                "vitok.loop.rollout.champion_baseline": lambda *_: {},
                "vitok.loop.release.load_model": lambda *_, **__: SimpleNamespace(warm_up=lambda: None),
                "os.replace": points.wrap(os.replace),
                "os.pwrite": points.cut_short(os.pwrite),
                "os.unlink": points.wrap(os.unlink),
            }.items():
                stack.enter_context(patch(place, other))
            yield
        for spool in self.spools.values():
            spool.close()
        self.engine.dispose()

    def _run_kept(self, url: str, key: str, body: Any, stop: Any) -> Any:
        done = self.steps.setdefault(key, {})
        return body(Kept(done, self.runs.setdefault(key, Counter()), self.crashes))

    def _data(self, stages: Any) -> Any:
        snapshot = SimpleNamespace(
            version=1, digest="d" * 64, left_out={}, lost_cells={}, frame=SimpleNamespace(height=100)
        )
        parts = SimpleNamespace(test=range(20), warnings=[])
        made = SimpleNamespace(snapshot=snapshot, parts=parts, columns=SimpleNamespace(left_out={}))

        def take() -> Any:
            if self.rng.random() < 0.1:
                raise VitokError("data", "is poisoned", "Mend it.")
            return made

        return stages.do("data", "", take, lambda _: {"version": 1}, lambda _: made)

    def _package(self, stages: Any, *_: Any) -> Assembled:
        """A bundle that no version has yet."""

        def make() -> str:
            with self.engine.connect() as connection:
                used = {each.digest for each in versions.all_versions(connection)}
            return self.rng.choice([each for each in self.bundles if each not in used] or self.bundles[:1])

        def of(digest: str) -> Assembled:
            manifest = load_manifest(self.project.blobs, digest)
            return Assembled(digest, replace_charter(manifest, stages.project.document.digest), "linear", {})

        digest = stages.do(
            "package", "", make, lambda made: {"digest": made}, lambda stored: stored["digest"]
        )
        return of(digest)

    def _verdict(self, stages: Any, *_: Any) -> Verdict:
        def judge() -> Verdict:
            passed = self.rng.random() < 0.8
            gate = Gate("roc_auc > baseline", 0.7, 0.6, 0.8, 0.5, passed, "so it is")
            return Verdict([gate], {}, {}, None, [])

        return stages.do("verdict", "", judge, Verdict.as_json, Verdict.from_json)

    def _observe(self, *_: Any, **__: Any) -> Observed:
        """What production shows: mostly good, sometimes bad, sometimes nothing yet."""
        fate = self.rng.random()
        finding = Finding("errors", 1.5, fate < 0.1, 0.1 <= fate < 0.7, 0.0, 3.0, 0.01, 0.01, 0.8, 1.2, 500)
        return Observed(Evidence((finding,), None, None, 100, 500), {}, NO_FIGURES)


def replace_charter(manifest: Any, digest: str) -> Any:
    """A manifest that names a charter."""
    import msgspec

    return msgspec.structs.replace(manifest, charter=digest)


def open_document(folder: Path) -> Any:
    """The charter of a folder."""
    from vitok.loop.review import read_document

    return read_document(folder)


def _nothing(name: str) -> Callable[..., list[Any]]:
    def stage(stages: Any, *_: Any) -> list[Any]:
        return stages.do(name, "", list, lambda _: {}, lambda _: [])  # type: ignore[no-any-return]

    return stage


def _fast(connection: Any, record: Any) -> None:
    for pragma in ("journal_mode=MEMORY", "synchronous=OFF"):
        connection.execute(f"PRAGMA {pragma}")


def simulate(template: Path, folder: Path, seed: int, acts: int = 25) -> None:
    """One world from its beginning to its end.

    Raises:
        AssertionError: a promise was broken; the message names the seed, which does the same again.
    """
    place = folder / str(seed)
    try:
        World(template, place, seed).live(acts)
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
