"""A turn's runs and trials in the tracker; written again after a crash they stay as they are."""

from vitok.loop.fitted import Fitted
from vitok.loop.project import Project
from vitok.loop.verdict import Verdict


def track_turn(project: Project, turn: str, candidates: list[Fitted], verdict: Verdict) -> None:
    """Writes one run for the turn, one for each candidate, one for each trial; nothing where nothing tracks.

    Args:
        turn: Its id; runs that carry it are not written twice.
    """
    if project.tracker is None:
        return
    tracker, now = project.tracker(), project.clock()
    tags = {"vitok.turn": turn, "vitok.charter": project.document.digest}
    known = tracker.known(turn)
    parent = known.get(f"turn {turn}") or tracker.run(
        f"turn {turn}",
        started=now,
        ended=now,
        parent=None,
        parameters={"verdict": verdict.state},
        metrics={name: found.value for name, found in verdict.metrics.items()},
        tags=tags,
    )
    for fitted in candidates:
        run = known.get(fitted.name) or tracker.run(
            fitted.name,
            started=now,
            ended=now,
            parent=parent,
            parameters=fitted.parameters,
            metrics={f"validation_{fitted.metric}": fitted.validation},
            tags=tags,
        )
        for trial in fitted.tried:
            name = f"{fitted.name} trial {trial.number}"
            if name not in known:
                tracker.run(
                    name,
                    started=trial.ended,
                    ended=trial.ended,
                    parent=run,
                    parameters=trial.parameters,
                    metrics={f"validation_{fitted.metric}": trial.value},
                    tags=tags,
                )
