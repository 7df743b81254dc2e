"""A mark of the state database: it differs whenever something that people look at has changed."""

from sqlalchemy import Connection, func, select

from vitok.kernel.digests import digest_bytes
from vitok.store.schema import (
    alerts,
    approvals,
    audit,
    decisions,
    figures,
    incident_actions,
    incident_notes,
    questions,
    rollouts,
    steps,
    turns,
    windows,
)


def mark(connection: Connection) -> str:
    """The mark; its cost grows with turns, windows and alerts, never with predictions."""
    asked = (
        select(func.max(audit.c.sequence)),
        select(func.count(), func.max(turns.c.started), func.max(turns.c.ended), func.max(turns.c.cancel)),
        select(func.count(), func.max(steps.c.started), func.max(steps.c.ended)),
        select(func.count(), func.max(windows.c.start), func.sum(windows.c.labelled)),
        select(func.count(), func.count(alerts.c.resolved), func.max(alerts.c.window)),
        select(func.count(), func.max(alerts.c.acknowledged), func.max(alerts.c.snoozed)),
        select(func.count(), func.max(rollouts.c.since), func.sum(rollouts.c.stage)),
        select(func.count(), func.count(approvals.c.answer)),
        select(func.count(), func.count(questions.c.answer)),
        select(func.count()).select_from(incident_notes),
        select(func.count(), func.count(incident_actions.c.done)),
        select(func.max(decisions.c.until)),
        select(func.max(figures.c.reckoned)),
    )
    return digest_bytes(repr([tuple(connection.execute(one).one()) for one in asked]).encode())[:16]
