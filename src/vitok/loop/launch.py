"""The launch check list: what must be in place before users rely on a model, each answer read from the project.

After the ML Test Score (Breck et al. 2017) and the usual production readiness lists. What this version of Vitok cannot
do is told as missing; the reader must provide it in another way.
"""

from typing import Any

from vitok.errors import VitokError
from vitok.loop.facts import Check, Facts, Finding
from vitok.loop.launchmodel import MODEL, RELEASE
from vitok.loop.launchpeople import DATA, PEOPLE, PURPOSE, WATCHING

_CHECKS: dict[str, dict[str, Check]] = {
    "purpose": PURPOSE,
    "data": DATA,
    "model": MODEL,
    "release": RELEASE,
    "watching": WATCHING,
    "people": PEOPLE,
}


def launch_list(facts: Facts) -> dict[str, Any]:
    """The list as JSON values: how many are done and missing, and each with group, state, evidence, remedy."""
    items = []
    for group, checks in _CHECKS.items():
        for item, check in checks.items():
            finding = _answer(check, facts)
            state = "done" if finding.done else "missing" if finding.applies else "not applicable"
            remedy = finding.remedy if state == "missing" else None
            row = {"group": group, "item": item, "state": state}
            items.append({**row, "evidence": finding.evidence, "remedy": remedy})
    states = [item["state"] for item in items]
    return {"done": states.count("done"), "missing": states.count("missing"), "items": items}


def _answer(check: Check, facts: Facts) -> Finding:
    """What a check finds; what is damaged counts as missing, and the other checks are still told."""
    try:
        return check(facts)
    except VitokError as error:
        return Finding(False, f"{error.place}: {error.what}", remedy=error.remedy)
