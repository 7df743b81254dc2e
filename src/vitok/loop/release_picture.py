"""One release through time, for its page and for people: who answered before and after, the verdict, and the alerts."""

from datetime import datetime
from typing import Any, NamedTuple

from vitok.kernel.clock import format_time
from vitok.loop.project import Project
from vitok.loop.release import release_json
from vitok.registry import releases, versions, windows
from vitok.registry.releases import Release
from vitok.report.release_chart import Event, ShareSince, verdict_chart

_BEFORE = 0.15  # of the length of the release: so much of what was before is shown


class Story(NamedTuple):
    """What a release was.

    Args:
        shares: Who answered how much, from a while before it to its end.
        events: What happened, oldest first.
        gates: Whether each gate of the verdict passed, and why.
        sentence: What is to be known, in a few words.
    """

    shares: list[ShareSince]
    events: list[Event]
    gates: list[tuple[str, str]]
    sentence: str


def release_story(project: Project, release: Release) -> Story:
    """A release that no roll-out made, told from the registry."""
    with project.engine.connect() as connection:
        history = releases.all_releases(connection)
        version = versions.get(connection, release.version)
        alerts = windows.load_alerts(connection, resolved_after=release.created)
    place = next(number for number, each in enumerate(history) if each.epoch == release.epoch)
    before = history[place - 1] if place else None
    after = history[place + 1] if place + 1 < len(history) else None
    end = project.clock() if after is None else after.created
    plans = [(release.created, release)]
    events = [(release.created, release.strategy, _how(release, before))]
    if before is not None:
        plans.insert(0, (release.created - (end - release.created) * _BEFORE, before))
    for alert in alerts.values():
        if release.created <= alert.opened <= end:
            events.append((alert.opened, alert.severity, alert.sentence))
    if after is not None:
        plans.append((end, after))
        events.append((end, release.state, _what_came(release, after)))
    gates = [("passed" if gate["passed"] else "failed", gate["reason"]) for gate in version.gates]
    return Story(_shares(plans), sorted(events), gates, _sentence(release, before))


def release_picture(release: Release, story: Story) -> dict[str, Any]:
    """The page of a release as a chart's specification."""
    title = f"Release of epoch {release.epoch}: version {release.version}, {release.strategy}"
    return verdict_chart(
        title, shares=story.shares, gates=story.gates, events=story.events, below=story.sentence
    )


def story_json(release: Release, story: Story) -> dict[str, Any]:
    """The object that `vitok releases show --epoch --json` prints."""
    events = [{"time": format_time(time), "state": state, "reason": why} for time, state, why in story.events]
    gates = [{"state": state, "reason": reason} for state, reason in story.gates]
    return release_json(release) | {"sentence": story.sentence, "gates": gates, "events": events}


def _shares(plans: list[tuple[datetime, Release]]) -> list[ShareSince]:
    """What each version answered since each moment, also where that is nothing."""
    live = [(since, {arm.version: arm.share for arm in each.plan.live}) for since, each in plans]
    versions_seen = dict.fromkeys(version for _, shares in live for version in shares)
    return [
        (since, shares.get(version, 0.0), f"version {version}")
        for since, shares in live
        for version in versions_seen
    ]


def _how(release: Release, before: Release | None) -> str:
    told = f"version {release.version} answers everything, by {release.actor}"
    if before is None:
        return f"{told}; nothing was in production before"
    if release.strategy == "rollback":
        return f"{told}: {release.evidence.get('reason', 'by hand')}"
    return f"{told}, after version {before.version}"


def _what_came(release: Release, after: Release) -> str:
    if after.version != release.version:
        return f"version {after.version} ({after.strategy}) by {after.actor}"
    if len(after.plan.arms) > 1:
        other = next(arm.version for arm in after.plan.arms if arm.version != after.version)
        return f"the roll-out of version {other} ({after.strategy}) began, by {after.actor}"
    return f"version {release.version} again, with other rules for answers, by {after.actor}"


def _sentence(release: Release, before: Release | None) -> str:
    now = "It is in production." if release.state == releases.IN_FORCE else f"It is over: {release.state}."
    if release.strategy == "rollback" or before is None or before.version == release.version:
        return now
    return (
        f"{now} All requests went to it at once, so nothing compared it with version {before.version} while it "
        "answered: only its verdict speaks for it, and alerts speak against it."
    )
