"""How the server is, for people: who answers, how much was asked, how fast; one file, no scripts, no other hosts."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import NamedTuple

from vitok.serve.deployment import Deployment
from vitok.serve.http import Response
from vitok.serve.page import HEADERS, page_of
from vitok.stats.latency import bucket_quantile
from vitok.store.counts import Counts
from vitok.store.heartbeat import Heartbeat

_EVERY_SECONDS = 5


class Standing(NamedTuple):
    """What the page tells.

    Args:
        deployment: Who answers; None if nothing was released.
        problem: Why the newest plan is not served, if it is not.
        counts: Of all workers since the server started.
        waiting: Bytes in the journal that wait to be moved.
        keeper: Its last sign of life, if there was one.
        now: The present.
    """

    deployment: Deployment | None
    problem: str | None
    counts: Counts
    waiting: int
    keeper: Heartbeat | None
    now: datetime


def status_page(found: Standing) -> Response:
    """The page; it renews itself."""
    name = "Vitok" if found.deployment is None else found.deployment.plan.project
    body = "".join(
        [
            f'<p role="status"><strong>{escape(_said(found))}</strong></p>',
            _versions(found),
            _requests(found),
            _surroundings(found),
        ]
    )
    content = page_of(f"Status of {name}", body, refresh=_EVERY_SECONDS)
    return Response(200, content.encode(), b"text/html; charset=utf-8", HEADERS)


def _said(found: Standing) -> str:
    if found.deployment is None:
        return f"No model is served: {found.problem or 'no version has been released'}."
    if found.problem is not None:
        return f"The newest release plan is not served, the one before is: {found.problem}"
    resting = _resting(found.deployment)
    if resting:
        return f"Version {', '.join(resting)} rests after failures; its fallback answers."
    return "All versions of the release plan answer."


def _resting(deployment: Deployment) -> list[str]:
    return [str(number) for number, served in deployment.served.items() if served.breaker.is_open]


def _versions(found: Standing) -> str:
    if found.deployment is None:
        return ""
    predicted: dict[int, dict[str, int]] = {}
    for key, count in found.counts.predictions.items():
        version, _, action = key.split("\t")
        by_action = predicted.setdefault(int(version), {})
        by_action[action] = by_action.get(action, 0) + count
    rows = []
    for arm in found.deployment.plan.arms:
        counts = predicted.get(arm.version, {})
        share = "copies of all requests" if arm.role == "shadow" else f"{100 * arm.share:g} %"
        failed = counts.get("failed", 0) + counts.get("fallback", 0)
        state = "rests" if found.deployment.served[arm.version].breaker.is_open else "answers"
        rows.append(
            (f"version {arm.version}", arm.role, share, state, f"{sum(counts.values()):,}", f"{failed:,}")
        )
    head = ("", "role", "share", "", "rows since the start", "of these failed or answered by a fallback")
    plan = found.deployment.plan
    return f"<h2>Release plan {plan.epoch}</h2>{_table(head, rows)}"


def _requests(found: Standing) -> str:
    by_class: dict[str, int] = {}
    for key, count in found.counts.requests.items():
        status = key.rpartition("\t")[2]
        by_class[status] = by_class.get(status, 0) + count
    rows = [(status, f"{count:,}") for status, count in sorted(by_class.items())]
    shares = ((0.5, "half of the requests"), (0.95, "95 %"), (0.99, "99 %"))
    times = [
        (f"{words} within", f"{1000 * seconds:.3g} ms")
        for share, words in shares
        if (seconds := bucket_quantile(found.counts.buckets, share)) is not None
    ]
    return (
        f"<h2>Requests since {_time(found.counts.started)}</h2>{_table(('status', 'requests'), rows)}"
        f"{_table(('time to the answer', ''), times)}"
    )


def _surroundings(found: Standing) -> str:
    rows = [
        ("memory of the largest worker", f"{found.counts.memory_bytes / 2**20:.0f} MB"),
        ("in the journal, not moved yet", f"{found.waiting / 2**20:.1f} MB"),
        ("rows answered although the journal failed", f"{found.counts.unrecorded:,}"),
        ("rows that shadows were too busy to see", f"{found.counts.missed:,}"),
    ]
    if found.keeper is None:
        rows.append(("keeper (moves, watches, decides)", "has never run: vitok up, or vitok watch"))
    else:
        ago = max(0.0, found.now.timestamp() - found.keeper.seen)
        rows += [
            ("keeper (moves, watches, decides)", f"last looked {ago:.0f} s ago"),
            ("open alerts", f"{sum(found.keeper.alerts.values())}"),
        ]
    return f"<h2>Around it</h2>{_table(('', ''), rows)}"


def _time(seconds: float) -> str:
    return (
        "the start"
        if not seconds
        else f"{datetime.fromtimestamp(seconds).astimezone():%d %B %Y, %H:%M:%S %Z}"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "<p>None yet.</p>"
    titles = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>\n"
