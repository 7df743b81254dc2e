"""The 28 tests of the ML Test Score, each answered by what the project really holds."""

from collections.abc import Callable
from typing import Any

from vitok.charter.expressions import Changed
from vitok.data.snapshot import load_expectations
from vitok.evaluate.readiness import Proof
from vitok.loop import launchmodel, launchpeople
from vitok.loop.facts import Facts, Finding
from vitok.loop.history import compared_policies, last_reproduction
from vitok.model.bundle import FEATURES, load_manifest
from vitok.registry import requests, rollouts

Test = Callable[[Facts], Proof]
_RUN = "Run `vitok run`."
_WATCH = "Run `vitok watch --once` after some days of predictions and outcomes, or keep `vitok up` running."


def by(finding: Finding, *, otherwise: float = 0.0) -> Proof:
    """A finding of the launch check list as a proof.

    Args:
        otherwise: Points where it is not done.
    """
    return Proof(1.0 if finding.done else otherwise, finding.evidence, "" if finding.done else finding.remedy)


def _schema(facts: Facts) -> Proof:
    if not facts.turns:
        return Proof(0, "no turn has held data against expectations", _RUN)
    return by(launchpeople.DATA["expectations"](facts))


def _features_help(facts: Facts) -> Proof:
    if facts.subject is None:
        return Proof(0, "no version was judged yet", _RUN)
    found: dict[str, Any] = facts.subject.summary.get("importance") or {}
    if not found:
        return Proof(0, f"version {facts.subject.number} has no importance of features", _RUN)
    idle = [name for name, each in found.items() if each["drop"] <= 0]
    line = f"version {facts.subject.number}: permutation importance of {len(found)} inputs"
    if idle:
        what = f"{line}; {', '.join(idle)} help nothing"
        return Proof(0.5, what, f"Add {', '.join(idle)} to data.exclude, and judge the next version.")
    return Proof(1, f"{line}, each of them helps")


def _costs_of_features(facts: Facts) -> Proof:
    return by(launchmodel.MODEL["fast and small enough"](facts))


def _policy_of_features(facts: Facts) -> Proof:
    if not facts.turns:
        return Proof(0, "no turn has looked for columns that tell the target", _RUN)
    data = facts.charter.data
    closed = len(data.exclude) + len(data.personal)
    line = f"every turn refuses columns that tell the target; {closed} closed by the charter"
    return Proof(1, line)


def _privacy(facts: Facts) -> Proof:
    finding = launchpeople.DATA["personal data"](facts)
    if not finding.applies:
        stated = "personal" in (facts.charters[-1].content["data"] if facts.charters else {})
        what = "the charter states that no column is personal; nobody else has looked"
        return Proof(0.5 if stated else 0, what, "Name personal columns in data.personal, if there are any.")
    return by(finding)


def _new_features(facts: Facts) -> Proof:
    if facts.charter.features is None or facts.subject is None:
        return Proof(0, "there is no feature function", "Write one, and name it under features.")
    shipped = FEATURES in load_manifest(facts.project.blobs, facts.subject.digest).files
    line = (
        f"{facts.charter.features} is shipped inside version {facts.subject.number}, for training and serving"
    )
    return Proof(
        1 if shipped else 0,
        line if shipped else "the version carries no feature function",
        "" if shipped else _RUN,
    )


def _feature_tests(facts: Facts) -> Proof:
    if facts.charter.features is None:
        return Proof(0, "there is no feature function to test", "Write one, and tests for it.")
    name = facts.charter.features.partition(":")[2]
    folder = facts.project.folder
    tests = [*folder.glob("test_*.py"), *folder.glob("tests/**/test_*.py")]
    mine = [path.name for path in tests if name in path.read_text(encoding="utf-8")]
    if not mine:
        return Proof(0, f"no test of {name} lies in the project", "Write tests/test_features.py.")
    pipelines = [
        *folder.glob(".github/workflows/*.y*ml"),
        *folder.glob(".gitlab-ci.yml"),
        *folder.glob("Jenkinsfile"),
    ]
    if not pipelines:
        return Proof(0.5, f"{', '.join(mine)}, run by hand", "Let a pipeline run them at each change.")
    return Proof(1, f"{', '.join(mine)}, run by {pipelines[0].name}")


DATA: dict[str, Test] = {
    "expectations stand in a schema": _schema,
    "each feature helps": _features_help,
    "no feature costs too much": _costs_of_features,
    "features keep the rules": _policy_of_features,
    "privacy is controlled": _privacy,
    "new features come quickly": _new_features,
    "feature code is tested": _feature_tests,
}


def _reviewed(facts: Facts) -> Proof:
    if not facts.charters or facts.subject is None:
        return Proof(0, "no charter is on record", _RUN)
    line = f"{len(facts.charters)} charter(s) and {len(facts.versions)} version(s) on record"
    with facts.project.engine.connect() as connection:
        agreed = [
            each for each in requests.all_requests(connection) if each.state in ("approved", "released")
        ]
    if not agreed:
        return Proof(0.5, f"{line}; nobody but the author has agreed to one", "Name roles under approve.")
    return Proof(1, f"{line}; {len(agreed)} release(s) agreed to by others than the author")


def _tracks_online(facts: Facts) -> Proof:
    kpi = facts.charter.goal.kpi
    final = facts.final_windows
    if not final:
        return Proof(0, "no window of production has its labels", _WATCH)
    if kpi is None or kpi.metric is None:
        return Proof(
            0.5, f"{len(final)} windows measured; no KPI is tied to a metric", "State goal.kpi.metric."
        )
    measured = [window["quality"][kpi.metric]["value"] for window in final if kpi.metric in window["quality"]]
    if not measured:
        return Proof(0.5, f"{kpi.metric} is not measured in production", "Choose a metric that windows have.")
    line = f"{kpi.name} by {kpi.metric}: {sum(measured) / len(measured):.3g} on average of {len(measured)} windows"
    return Proof(1, line)


def _tuned(facts: Facts) -> Proof:
    tune = facts.charter.train.tune
    if tune.trials < 2:
        return Proof(0, "train.tune allows no search", "Allow some trials under train.tune.")
    if not facts.turns:
        return Proof(0, "no turn has searched", _RUN)
    return Proof(
        1,
        f"{tune.sampler} over up to {tune.trials} trials for each of {len(facts.charter.train.candidates)} candidates",
    )


def _staleness(facts: Facts) -> Proof:
    found = compared_policies(facts.project)
    if found is None:
        remedy = "Run `vitok replay --policy never --policy monthly`."
        return Proof(0, "nobody has replayed what it costs to leave the model alone", remedy)
    return Proof(1, f"replayed on {found['time'][:10]}: {found['sentence']}")


MODEL: dict[str, Test] = {
    "specifications are reviewed and versioned": _reviewed,
    "the offline metric tracks what counts": _tracks_online,
    "parameters are tuned": _tuned,
    "the cost of staleness is known": _staleness,
    "a simpler model is not better": lambda facts: by(launchmodel.MODEL["better than the baselines"](facts)),
    "quality holds on slices": lambda facts: by(launchmodel.MODEL["good in every group"](facts)),
    "groups are treated alike": lambda facts: by(launchmodel.MODEL["fair between groups"](facts)),
}


def _reproduced(facts: Facts) -> Proof:
    base = launchmodel.MODEL["can be made again"](facts)
    done = last_reproduction(facts.project)
    if done is not None and done["same"]:
        return Proof(
            1, f"version {done['version']} was made again on {done['time'][:10]}: {done['sentence']}"
        )
    remedy = "Run `vitok turns reproduce`: it makes the version in production again, and compares."
    return Proof(0.5 if base.done else 0, base.evidence, remedy)


def _model_unit(facts: Facts) -> Proof:
    return by(launchmodel.MODEL["the same when packaged"](facts))


def _pipeline(facts: Facts) -> Proof:
    if not facts.releases or not facts.turns:
        return Proof(0, "no turn has led to a release yet", "Run `vitok run`, then `vitok release VERSION`.")
    line = f"{len(facts.turns)} turn(s) from data to verdict, {len(facts.releases)} plan(s) put in force"
    return Proof(1, line)


def _gate_before_serving(facts: Facts) -> Proof:
    return by(launchmodel.MODEL["accepted by its gates"](facts))


def _one_example(facts: Facts) -> Proof:
    found = launchpeople.WATCHING["predictions journalled"](facts)
    line = "each answer is journalled with inputs, version and route, and can be explained"
    return Proof(1, f"{line}: {found.evidence}") if found.done else by(found)


def _canary(facts: Facts) -> Proof:
    with facts.project.engine.connect() as connection:
        done = [each for each in rollouts.all_rollouts(connection) if each.state == "promoted"]
    if done:
        return Proof(1, f"{len(done)} version(s) promoted by {done[-1].way.strategy}, on evidence")
    return by(launchmodel.RELEASE["gradual roll-out"](facts))


def _rollback(facts: Facts) -> Proof:
    with facts.project.engine.connect() as connection:
        taken = [each for each in rollouts.all_rollouts(connection) if each.state == "rolled back"]
    back = [release for release in facts.releases if release.strategy == "rollback"]
    if taken or back:
        return Proof(
            1, f"{max(len(taken), len(back))} version(s) taken back; the version before stays loaded"
        )
    return by(launchmodel.RELEASE["way back"](facts), otherwise=0)


INFRASTRUCTURE: dict[str, Test] = {
    "training can be reproduced": _reproduced,
    "the model is tested as shipped": _model_unit,
    "the whole pipeline is tested": _pipeline,
    "quality is judged before serving": _gate_before_serving,
    "one example can be looked into": _one_example,
    "new versions meet part of the traffic first": _canary,
    "there is a fast and safe way back": _rollback,
}


def _dependencies(facts: Facts) -> Proof:
    if Changed("libraries") in facts.project.document.rules.triggers:
        return Proof(1, "a turn starts when a library is another one than the version was made with")
    remedy = "Add `libraries` to retrain.on."
    return Proof(0.5, "versions of all libraries stand in each bundle; `vitok doctor` compares them", remedy)


def _invariants(facts: Facts) -> Proof:
    judged = [window for window in facts.windows if window["drift"]]
    if not judged:
        return Proof(0, "no window of production was held against the training data", _WATCH)
    columns = load_expectations(facts.project.folder, facts.charter).columns
    return Proof(
        1,
        f"{len(columns)} columns held against expectations, {len(judged)} windows against the training data",
    )


def _no_skew(facts: Facts) -> Proof:
    parity = launchmodel.MODEL["the same when packaged"](facts)
    if not parity.done:
        return by(parity)
    judged = [window for window in facts.windows if window["drift"]]
    if not judged:
        return Proof(0.5, f"{parity.evidence}; no window of production was compared", _WATCH)
    return Proof(1, f"one graph for training and serving ({parity.evidence}); {len(judged)} windows compared")


def _not_stale(facts: Facts) -> Proof:
    triggers = launchpeople.WATCHING["retraining"](facts)
    if not triggers.done or facts.subject is None:
        return by(triggers)
    last = facts.predicted[-1] if len(facts.predicted) else facts.now
    age = max(0, (last - facts.subject.created).days)
    line = f"version {facts.subject.number} was {age} days old at the last prediction; triggers: {triggers.evidence}"
    return Proof(1, line)


def _stable(facts: Facts) -> Proof:
    if facts.subject is None:
        return Proof(0, "no version was packaged", _RUN)
    if "errors" not in facts.project.charter.release.guard.model_dump(exclude_none=True):
        what = "packages are checked with gaps and unseen values; no release watches invalid answers"
        return Proof(0.5, what, "Add errors to release.guard.")
    return Proof(
        1, "packages are checked with gaps and unseen values; releases watch invalid answers and errors"
    )


def _fast(facts: Facts) -> Proof:
    guard = facts.project.charter.release.guard.model_dump(exclude_none=True)
    if "latency" in guard or facts.charter.serve.slo is not None:
        return Proof(1, "the latency of each release is held against that of the champion")
    return Proof(0, "nobody compares latency between versions", "Add latency to release.guard, or serve.slo.")


def _quality_served(facts: Facts) -> Proof:
    return by(launchpeople.WATCHING["windows judged"](facts))


MONITORING: dict[str, Test] = {
    "changed dependencies are noticed": _dependencies,
    "data keeps its invariants": _invariants,
    "training and serving agree": _no_skew,
    "the model is not stale": _not_stale,
    "numbers stay sound": _stable,
    "speed and memory do not get worse": _fast,
    "quality of what is served does not get worse": _quality_served,
}

SECTIONS: dict[str, dict[str, Test]] = {
    "data": DATA,
    "model": MODEL,
    "infrastructure": INFRASTRUCTURE,
    "monitoring": MONITORING,
}
