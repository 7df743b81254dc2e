"""What single decisions earn by the charter's costs: the profit curve of the version in use, and what errors cost."""

from dataclasses import asdict
from typing import Any

from vitok.economics.decisions import PROFIT, Policy, error_costs, policies, profit_curve
from vitok.errors import VitokError
from vitok.loop.assemble import cost_tuple
from vitok.loop.project import Project
from vitok.loop.rejudge import Judged, rejudge, version_in_use
from vitok.model.bundle import load_manifest
from vitok.registry.versions import Version
from vitok.stats.scores import Undecidable
from vitok.stats.thresholds import elkan_threshold


def project_decisions(project: Project) -> dict[str, Any] | None:
    """What decisions earn; None without costs.

    Returns:
        best_threshold, version (in production, else the latest accepted one), basis, threshold, profit_per_1000,
        curve, policies, errors; the last three null, with the reason in `not_shown`, where the version's rows cannot
        be had or tell nothing.
    """
    costs = cost_tuple(project)
    if costs is None:
        return None
    try:
        best = round(elkan_threshold(costs), 4)
    except Undecidable:
        best = None
    found: dict[str, Any] = {"best_threshold": best, "version": None}
    chosen = version_in_use(project)
    if chosen is None:
        return found
    version, basis = chosen
    return found | {"basis": basis} | _of_version(project, version)


def _of_version(project: Project, version: Version) -> dict[str, Any]:
    found: dict[str, Any] = {
        "version": version.number,
        "threshold": load_manifest(project.blobs, version.digest).threshold,
        "profit_per_1000": version.metrics.get(PROFIT),
        "curve": None,
        "policies": None,
        "errors": None,
        "not_shown": None,
    }
    try:
        return found | _curve(rejudge(project, version))
    except (VitokError, Undecidable) as error:
        return found | {"not_shown": str(error)}


def _curve(judged: Judged) -> dict[str, Any]:
    threshold, scored = judged.manifest.threshold, judged.scored
    if threshold is None:
        return {"not_shown": f"a {scored.task} task has no threshold"}
    errors = error_costs(scored)
    return {
        "curve": [
            {
                "threshold": round(cut, 6),
                "profit_per_1000": round(profit, 2),
                "flagged_per_1000": round(flagged, 1),
            }
            for cut, profit, flagged in profit_curve(scored)
        ],
        "policies": {name: _policy(policy) for name, policy in policies(scored, threshold).items()},
        "errors": asdict(errors),
    }


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "threshold": policy.threshold,
        "flagged_per_1000": round(policy.flagged, 1),
        "profit_per_1000": policy.profit.as_json(),
    }
