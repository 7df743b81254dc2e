"""The launch check list on the model and its release."""

from collections.abc import Callable

from vitok.charter.expressions import Comparison, parse_expression
from vitok.data.snapshot import TABLE
from vitok.errors import CharterMistake, Fault
from vitok.loop import evidence
from vitok.loop.facts import Check, Facts, Finding
from vitok.loop.release import PLAN_FILE
from vitok.model.bundle import load_manifest
from vitok.registry import releases
from vitok.registry.versions import Version
from vitok.release.plan import Plan
from vitok.stats.catalogue import SERVICE_METRICS

_NOTHING_JUDGED = Finding(False, "no version was judged yet", remedy="Run `vitok run`.")
_NOT_RELEASED = Finding(False, "nothing was released", remedy="Run `vitok release VERSION`.")


def _gates(version: Version, wanted: Callable[[Comparison], bool]) -> tuple[list[str], list[str]]:
    """Names of the gates of a verdict that are of a kind: those that passed, and those that failed.

    A gate that passed without a figure, because there was no champion yet, is no evidence and in neither.
    """
    passed: list[str] = []
    failed: list[str] = []
    for gate in version.gates:
        try:
            parsed = parse_expression(gate["name"])
        except CharterMistake:
            continue  # a verdict of another version of the language
        if (
            isinstance(parsed, Comparison)
            and wanted(parsed)
            and not (gate["passed"] and gate["value"] is None)
        ):
            (passed if gate["passed"] else failed).append(gate["name"])
    return passed, failed


def _gated(facts: Facts, wanted: Callable[[Comparison], bool], what: str, remedy: str) -> Finding:
    """Whether there are gates of a kind and the version in question passed them."""
    if facts.subject is None:
        return _NOTHING_JUDGED
    passed, failed = _gates(facts.subject, wanted)
    number = facts.subject.number
    if failed:
        return Finding(
            False, f"version {number} failed {', '.join(failed)}", remedy=f"See `vitok card {number}`."
        )
    if not passed:
        return Finding(False, f"no gate looks at {what}", remedy=remedy)
    return Finding(True, f"version {number} passed {', '.join(passed)}")


def _better_than_baseline(facts: Facts) -> Finding:
    remedy = "Add a gate such as `roc_auc > baseline` to accept."
    return _gated(facts, lambda gate: gate.bound.reference == "baseline", "the baselines", remedy)


def _accepted(facts: Facts) -> Finding:
    version = facts.subject
    if version is None:
        return _NOTHING_JUDGED
    rows = version.summary.get("test_rows")
    line = f"{evidence.gates_line(version)}, on {rows} rows that it never saw"
    return Finding(version.verdict == "accepted", line, remedy=f"See `vitok card {version.number}`.")


def _groups(facts: Facts) -> Finding:
    remedy = "Add a gate such as slice(COLUMN).roc_auc >= 0.6 to accept."
    return _gated(facts, lambda gate: gate.part is not None, "the quality of single groups", remedy)


def _fairness(facts: Facts) -> Finding:
    remedy = "Add a gate such as gap(COLUMN).recall <= 0.1 to accept."
    return _gated(facts, lambda gate: str(gate.part).startswith("gap("), "differences between groups", remedy)


def _service(facts: Facts) -> Finding:
    remedy = "Add a gate such as latency_p99_ms <= 50 to accept."
    return _gated(facts, lambda gate: gate.metric in SERVICE_METRICS, "latency or size", remedy)


def _same_when_packaged(facts: Facts) -> Finding:
    if facts.subject is None:
        return _NOTHING_JUDGED
    parity = facts.subject.summary.get("parity")
    if parity is None:
        return Finding(False, "was not measured for this version", remedy="Run `vitok run`.")
    return Finding(True, f"the package differs from the trained model by {parity:.1e} at most")


def _reproducible(facts: Facts) -> Finding:
    if facts.subject is None:
        return _NOTHING_JUDGED
    manifest = load_manifest(facts.project.blobs, facts.subject.digest)
    number = manifest.data.get("table_version")
    if number not in facts.project.lake.versions(TABLE):
        what = f"data version {number} of version {facts.subject.number} is gone from the lake"
        return Finding(False, what, remedy="Restore .vitok/lake from a backup.")
    line = f"seed {manifest.seed}, data version {number}, {len(manifest.environment)} libraries with versions"
    return Finding(bool(manifest.environment and manifest.code), line, remedy="Run `vitok run`.")


def _published(facts: Facts) -> Finding:
    if not facts.releases:
        return _NOT_RELEASED
    last = facts.releases[-1]
    path = facts.project.state / PLAN_FILE
    if not path.exists() or Plan.from_json(path.read_bytes()) != last.plan:
        return Finding(
            False, f"{path.name} is not the plan in force", remedy=f"Run `vitok release {last.version}`."
        )
    return Finding(
        True, f"version {last.version} since {evidence.day(last.created)}, {last.strategy}, by {last.actor}"
    )


def _whole(facts: Facts) -> Finding:
    version = facts.subject
    if version is None:
        return _NOTHING_JUDGED
    manifest = load_manifest(facts.project.blobs, version.digest)
    sizes = [len(facts.project.blobs.get(digest)) for digest in manifest.files.values()]
    return Finding(
        True, f"version {version.number}: {len(sizes)} files, {sum(sizes):,} bytes as they were judged"
    )


def _rollback_target(facts: Facts) -> Finding:
    """The version that `vitok rollback` would go back to, and whether its bundle is there."""
    if not facts.releases:
        return _NOT_RELEASED
    earlier = releases.rollback_target(facts.releases)
    if earlier is None:
        remedy = "Release a second accepted version; until then stop the service to take it back."
        return Finding(False, f"there is no version before {facts.releases[-1].version}", remedy=remedy)
    blobs = facts.project.blobs
    manifest = load_manifest(blobs, earlier.plan.champion.digest)
    gone = [name for name, digest in manifest.files.items() if not blobs.has(digest)]
    if gone:
        raise Fault(f"version {earlier.version}", f"{', '.join(gone)} is gone", "Restore .vitok/blobs.")
    return Finding(True, f"rollback target: version {earlier.version}")


def _gradual(facts: Facts) -> Finding:
    """Whether some release met only a part of the traffic first."""
    if not facts.releases:
        return _NOT_RELEASED
    gradual = [release for release in facts.releases if release.strategy not in ("immediate", "rollback")]
    if gradual:
        last = gradual[-1]
        return Finding(
            True, f"version {last.version} by {last.strategy}, {evidence.day(last.created)}", last.created
        )
    what = f"{len(facts.releases)} release(s), each switched all traffic at once"
    return Finding(
        False, what, remedy="State release.strategy: canary, or vitok release VERSION --strategy canary."
    )


MODEL: dict[str, Check] = {
    "better than the baselines": _better_than_baseline,
    "accepted by its gates": _accepted,
    "good in every group": _groups,
    "fair between groups": _fairness,
    "fast and small enough": _service,
    "the same when packaged": _same_when_packaged,
    "can be made again": _reproducible,
}
RELEASE: dict[str, Check] = {
    "in production": _published,
    "bundle whole": _whole,
    "way back": _rollback_target,
    "gradual roll-out": _gradual,
}
