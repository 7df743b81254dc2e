"""New versions that appear in a replay, and how their roll-outs go."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from vitok.errors import Refused, UserMistake
from vitok.kernel.clock import format_time
from vitok.kernel.ids import new_id
from vitok.loop.journals import JournalReader
from vitok.loop.project import Project
from vitok.loop.replay_answers import Workers
from vitok.loop.rollout import release_version
from vitok.loop.version_faults import NewVersion
from vitok.model.bundle import load_manifest, store_bundle
from vitok.registry import releases, rollouts, versions
from vitok.registry.rollouts import Rollout
from vitok.release.plan import ACCEPTED
from vitok.release.rollout import OPEN

ACTOR = "replay"


class Appearing:
    """Injected versions that are still to come; one waits while the roll-out of another goes on."""

    def __init__(self, new: Sequence[NewVersion]) -> None:
        self._waiting = sorted(new, key=lambda each: each.since)

    def release_due(self, project: Project, journal: JournalReader, workers: Workers) -> list[dict[str, Any]]:
        """Releases the next version whose moment has come, by the charter's strategy.

        Returns:
            What happened, as events.
        """
        now, told = project.clock(), list[dict[str, Any]]()
        while self._waiting and self._waiting[0].since <= now:
            with project.engine.connect() as connection:
                if rollouts.current(connection) is not None:
                    break
            fault = self._waiting.pop(0)
            version = _register(project, fault)
            workers.faults[version.digest] = fault
            head = {"time": format_time(now), "version": version.number, "trigger": fault.text}
            try:
                released = release_version(project, journal, version.number, actor=ACTOR)
            except (Refused, UserMistake) as error:
                told.append({**head, "event": "refused", "reason": str(error)})
                continue
            if released.rollout is None:
                how = f"version {version.number} ({fault.text}) answers from now on"
                told.append({**head, "event": "promoted", "reason": how})
                continue
            told.append({**moved(project, released.rollout), "trigger": fault.text})
        return told

    def left(self, project: Project) -> list[dict[str, Any]]:
        """What never got its turn."""
        head = {"time": format_time(project.clock()), "event": "not released", "version": None}
        why = "another roll-out, or the end of the span, came before"
        return [{**head, "trigger": each.text, "reason": f"{each.text}: {why}"} for each in self._waiting]


def moved(project: Project, rollout: Rollout) -> dict[str, Any]:
    """The last move of a roll-out as an event, with what the new version had answered by then."""
    with project.engine.connect() as connection:
        step = rollouts.all_transitions(connection, rollout.number)[-1]
    event = "releasing" if rollout.state in OPEN else rollout.state
    return _event(project, rollout, event, step.reason, 0 if step.evidence is None else step.evidence.answers)


def finished(project: Project) -> list[dict[str, Any]]:
    """The roll-out that goes on when the replay ends, as an event."""
    with project.engine.connect() as connection:
        rollout = rollouts.current(connection)
    if rollout is None:
        return []
    share = rollout.way.stages[rollout.stage].share
    why = f"no decision by the end of the span, at {share:.0%}"
    return [_event(project, rollout, "unfinished", why, None)]


def _event(
    project: Project, rollout: Rollout, event: str, reason: str, answers: int | None
) -> dict[str, Any]:
    now = project.clock()
    return {
        "time": format_time(now),
        "event": event,
        "version": rollout.version,
        "trigger": None,
        "reason": reason,
        "rollout": rollout.number,
        "strategy": rollout.way.strategy,
        "hours": round((now - rollout.started).total_seconds() / 3600, 2),
        "answers": answers,
    }


def _register(project: Project, fault: NewVersion) -> versions.Version:
    """The version in production once more, accepted under a number of its own.

    No turn made it, so that it does not count for schedules and budgets of turns. The note in its manifest gives it a
    digest of its own.
    """
    now = project.clock()
    with project.engine.begin() as connection:
        release = releases.current(connection)
        assert release is not None
        champion = versions.get(connection, release.plan.champion.version)
        manifest = load_manifest(project.blobs, champion.digest)
        note = f"{len(versions.all_versions(connection)) + 1}: {fault.text}"
        files = {name: project.blobs.get(digest) for name, digest in manifest.files.items()}
        digest = store_bundle(
            project.blobs, replace(manifest, code=manifest.code | {"injected": note}), files
        )
        return versions.register(
            connection,
            digest=digest,
            created=now,
            turn=new_id(now),
            verdict=ACCEPTED,
            gates=champion.gates,
            metrics=champion.metrics,
            summary=champion.summary,
        )
