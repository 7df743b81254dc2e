"""The catalogue of versions as people look through it, and all that is known of one."""

from typing import Any

from sqlalchemy import Connection

from vitok.charter.review import main_metric
from vitok.errors import NotFound, VitokError
from vitok.kernel.clock import format_time
from vitok.loop.card import list_versions, version_card
from vitok.loop.project import Project
from vitok.registry import releases, rollouts, steps, turns, versions

_FITTED = ("name", "metric", "validation", "trials", "seconds")


def search_versions(project: Project, word: str = "") -> dict[str, Any]:
    """Versions, newest first.

    Args:
        word: Only those that have it in number, verdict, state, algorithm, digest or turn; empty for all.

    Returns:
        `versions` as `vitok models --json` lists them, each with `main`: the main metric with its interval; `metric`:
        its name; `total`: how many there are.
    """
    metric, listed = main_metric(project.charter), list_versions(project)
    with project.engine.connect() as connection:
        found = {each.number: each.metrics.get(metric) for each in versions.all_versions(connection)}
    shown = [
        {**each, "main": found.get(each["version"])} for each in reversed(listed) if _has(each, word.strip())
    ]
    return {"versions": shown, "metric": metric, "total": len(listed)}


def _has(version: dict[str, Any], word: str) -> bool:
    keys = ("version", "verdict", "state", "algorithm", "digest", "turn")
    return word.lower() in " ".join(str(version[key]) for key in keys).lower()


def version_page(project: Project, number: int) -> dict[str, Any]:
    """The card of a version, its turn, its releases and its roll-outs.

    Returns:
        As `vitok card --json`, and: `importance`, `fitted` (baselines and candidates of its turn), `made_by`
        (the turn, None if it is of another database), `releases`, `rollouts`, `others` (numbers of all other versions).
        If the bundle is gone `card` is None and `gone` says so.

    Raises:
        NotFound: there is no such version.
    """
    with project.engine.connect() as connection:
        version = versions.get(connection, number)
        known = versions.all_versions(connection)
        history = [each for each in releases.all_releases(connection) if each.version == number]
        ways = [each for each in rollouts.all_rollouts(connection) if each.version == number]
        made = _turn(connection, version.turn)
        done = steps.of_turn(connection, version.turn)
    card, gone = _card(project, number)
    return {
        "version": version.number,
        "verdict": version.verdict,
        "created": format_time(version.created),
        "card": card,
        "gone": gone,
        "importance": version.summary.get("importance", {}),
        "fitted": [
            {"step": step.name, **{key: model.get(key) for key in _FITTED}}
            for step in done
            for model in step.outputs.get("fitted", [])
        ],
        "made_by": None if made is None else {"number": made.number, "trigger": made.trigger},
        "releases": [
            {
                "epoch": each.epoch,
                "created": format_time(each.created),
                "strategy": each.strategy,
                "state": each.state,
            }
            for each in history
        ],
        "rollouts": [
            {"rollout": each.number, "strategy": each.way.strategy, "state": each.state} for each in ways
        ],
        "others": [each.number for each in known if each.number != number],
    }


def _turn(connection: Connection, identity: str) -> turns.Turn | None:
    """The turn that made a version; None if it is of another database."""
    try:
        return turns.get(connection, identity)
    except NotFound:
        return None


def _card(project: Project, number: int) -> tuple[dict[str, Any] | None, str]:
    """The card, or why there is none."""
    try:
        return version_card(project, number), ""
    except VitokError as error:
        return None, str(error)
