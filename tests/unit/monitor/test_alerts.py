"""Alerts: few, grouped, and open as long as the evidence lasts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from vitok.charter.model import DriftRule
from vitok.monitor.alerts import BROKEN_INPUTS, Alert, new_alerts
from vitok.monitor.drift import DriftFinding
from vitok.monitor.evidence import Family, Verdict
from vitok.monitor.quality import QualityFinding
from vitok.monitor.windows import Window
from vitok.stats.edetectors import NO_EVIDENCE
from vitok.stats.estimates import Estimate

DAY = timedelta(days=1)
START = datetime(2013, 3, 1, tzinfo=UTC)
EFFECT = DriftRule().effect


def _drift(column: str, psi: float, missing: bool = False) -> DriftFinding:
    moved = psi >= EFFECT or missing
    return DriftFinding(
        column=column,
        status="moved" if moved else "quiet",
        rows=500,
        psi=psi,
        critical=0.02,
        usual=None,
        ks=0.1,
        js=0.1,
        wasserstein=0.1,
        missing_then=0.0,
        missing_now=0.2 * missing,
        unseen_now=0.0,
        shifted=psi >= EFFECT,
        missing_changed=missing,
        unseen_jumped=False,
        other_unit=False,
        effect=moved,
        shift_evidence=NO_EVIDENCE,
        fault_evidence=NO_EVIDENCE,
        sentence=f"{column}: PSI {psi}.",
    )


CALM = (_drift("score", 0.01), _drift("temp", 0.02))
SEASON = (_drift("score", 0.01), _drift("dewp", 8.2), _drift("temp", 1.1))
SCORE = (_drift("score", 0.4), _drift("temp", 1.1))
BROKEN = (_drift("score", 0.01), _drift("temp", 0.0, missing=True))


def _verdict(*named: str, cries: bool = True, holds: bool = True) -> Verdict:
    return Verdict(cries, holds, 500.0, 450.0, 3 if holds else 0, named)


QUIET = _verdict(cries=False, holds=False)
ON = _verdict("score", cries=False)
Verdicts = dict[Family, Verdict]


def _window(
    day: int, drift: tuple[DriftFinding, ...] = (), fell: bool = False, state: str = "final"
) -> Window:
    estimate = Estimate(0.66, 0.64, 0.68, 500, "DeLong")
    fallen = (
        QualityFinding("roc_auc", estimate, 0.75, 0.71, fell, "roc_auc fell: 0.66.", (50.0 * fell,) * 5),
    )
    start = START + day * DAY
    return Window(start, start + DAY, 500, 500, state, drift, {}, fallen)  # type: ignore[arg-type]


def _run(
    steps: list[tuple[Window, Verdicts]], cooldown: timedelta | None = None
) -> tuple[list[Alert], list[Alert]]:
    """All alerts that were raised, and all that are known at the end."""
    raised: list[Alert] = []
    known: list[Alert] = []
    past: list[Alert] = []
    for window, verdicts in steps:
        step = new_alerts([*known, *past], window, verdicts, cooldown)
        raised += step.opened
        known, past = list(step.open), [*past, *step.resolved]
    return raised, [*known, *past]


def test_a_season_is_one_notice_that_names_the_features_and_starts_nothing() -> None:
    first: Verdicts = {"features": _verdict("dewp", "temp"), "score": QUIET}
    later: Verdicts = {"features": _verdict("dewp", "temp", cries=False), "score": QUIET}
    raised, known = _run([(_window(day, SEASON), later if day else first) for day in range(30)])
    assert len(raised) == 1
    assert raised[0].severity == "notice"
    assert raised[0].what == ("dewp", "temp")
    assert "scores did not move" in raised[0].sentence
    assert known[0].is_open


def test_a_moved_score_or_missing_values_are_an_alarm() -> None:
    told: list[tuple[tuple[DriftFinding, ...], Family, str]] = [
        (SCORE, "score", "score"),
        (BROKEN, "inputs", "temp"),
    ]
    for findings, family, first in told:
        raised, known = _run([(_window(0, findings), {family: _verdict(first)})])
        assert [alert.severity for alert in raised] == ["alarm"]
        assert raised[0].what[0] == first
        assert known == raised
        assert raised[0].runbook == f"drift-{family}"
    assert raised[0].runbook == BROKEN_INPUTS  # what holds a turn back
    assert "Check the source of temp" in raised[0].remedy


def test_an_alert_says_since_when_and_how_sure() -> None:
    raised, _ = _run([(_window(4, SCORE), {"score": _verdict("score")})])
    assert raised[0].since == START + 2 * DAY
    assert "since 2013-03-03" in raised[0].sentence
    assert "once in 450 windows" in raised[0].sentence


def test_what_the_caller_knows_of_the_harm_is_told_too() -> None:
    window = _window(0, SCORE)
    step = new_alerts([], window, {"score": _verdict("score")}, harm={"drift": "Mostly at EWR."})
    assert step.opened[0].sentence.endswith("Mostly at EWR.")


def test_fallen_quality_is_one_alarm_beside_the_drift() -> None:
    verdicts: Verdicts = {"features": _verdict("temp"), "quality": _verdict("roc_auc")}
    raised, _ = _run([(_window(0, SEASON, fell=True), verdicts)])
    assert [(alert.kind, alert.severity) for alert in raised] == [("drift", "notice"), ("quality", "alarm")]
    assert raised[1].what == ("roc_auc",)


def test_an_alert_needs_a_cry_and_ends_when_nothing_holds() -> None:
    assert _run([(_window(0, SCORE), {"score": ON})])[0] == []
    raised, known = _run(
        [
            (_window(0, SCORE), {"score": _verdict("score")}),
            (_window(1, CALM), {"score": ON}),
            (_window(2, CALM), {"score": QUIET}),
        ]
    )
    assert len(raised) == 1
    assert known[0].resolved == START + 3 * DAY


def test_windows_that_judge_nothing_change_nothing() -> None:
    raised, known = _run(
        [(_window(0, SCORE), {"score": _verdict("score")}), (_window(1), {}), (_window(2), {})]
    )
    assert len(raised) == 1
    assert known == raised


def test_cooldown_holds_back_repeats_but_no_alarm_after_a_notice() -> None:
    cry: Verdicts = {"score": _verdict("score")}
    over: Verdicts = {"score": QUIET}
    flapping = [(_window(0, SCORE), cry), (_window(1, CALM), over), (_window(4, SCORE), cry)]
    later = [(_window(5, CALM), over), (_window(12, SCORE), cry)]
    assert len(_run(flapping, timedelta(days=7))[0]) == 1
    assert len(_run([*flapping, *later], timedelta(days=7))[0]) == 2
    assert len(_run(flapping)[0]) == 2
    worse = [
        (_window(0, SEASON), {"features": _verdict("temp")}),
        (_window(1, CALM), {"features": QUIET}),
        (_window(3, SCORE), cry),
    ]
    assert [alert.severity for alert in _run(worse, timedelta(days=7))[0]] == ["notice", "alarm"]


def test_a_feed_that_breaks_while_scores_are_off_is_told_again() -> None:
    held = _verdict("score", cries=False)
    raised, known = _run(
        [
            (_window(0, SCORE), {"score": _verdict("score"), "inputs": QUIET}),
            (_window(1, SCORE), {"score": held, "inputs": QUIET}),
            (_window(2, BROKEN), {"score": held, "inputs": _verdict("temp")}),
            (_window(3, BROKEN), {"score": held, "inputs": _verdict("temp", cries=False)}),
        ]
    )
    assert [(alert.opened, alert.runbook) for alert in raised] == [
        (START + DAY, "drift-score"),
        (START + 3 * DAY, "drift-inputs"),
    ]
    assert len(known) == 1


def test_a_score_that_is_off_day_after_day_is_told_as_such() -> None:
    lasting = replace(SCORE[0], status="quiet", shifted=False)
    raised, _ = _run([(_window(0, (lasting,)), {"score": _verdict("score")})])
    assert "No window by itself is unusual, all together are." in raised[0].sentence


def test_a_notice_that_becomes_an_alarm_is_told_again_and_may_calm_down() -> None:
    features = _verdict("temp", cries=False)
    raised, known = _run(
        [
            (_window(0, SEASON), {"features": _verdict("temp"), "score": QUIET}),
            (_window(1, SEASON), {"features": features, "score": QUIET}),
            (_window(2, SCORE), {"features": features, "score": _verdict("score")}),
            (_window(3, SEASON), {"features": features, "score": QUIET}),
        ]
    )
    assert [alert.severity for alert in raised] == ["notice", "alarm"]
    assert raised[1].since <= START
    assert raised[1].opened == START + 3 * DAY
    assert [(alert.severity, alert.is_open) for alert in known] == [("notice", True)]


def test_an_alert_closed_by_hand_comes_back_only_with_a_new_cry() -> None:
    first = new_alerts([], _window(0, SCORE), {"score": _verdict("score")})
    closed = replace(first.open[0], resolved=START + DAY)
    assert new_alerts([closed], _window(1, SCORE), {"score": ON}).opened == ()
    assert len(new_alerts([closed], _window(2, SCORE), {"score": _verdict("score")}).opened) == 1


def test_quality_is_judged_later_than_drift_and_neither_touches_the_other() -> None:
    drift = new_alerts([], _window(5, SCORE, state="maturing"), {"score": _verdict("score")})
    fell: Verdicts = {"quality": _verdict("roc_auc")}
    step = new_alerts(drift.open, _window(0, SCORE, fell=True), fell, standing={"score": ON})
    assert [alert.kind for alert in step.opened] == ["quality"]
    assert {alert.kind for alert in step.open} == {"drift", "quality"}


def test_an_estimate_joins_the_alert_on_quality_and_yields_to_labels() -> None:
    foretold = replace(_window(0, fell=True).fallen[0], sentence="roc_auc fell: 0.68.")
    window = replace(_window(3, CALM, state="maturing"), foretold=(foretold,))
    first = new_alerts([], window, {"estimate": _verdict("roc_auc")})
    assert [(a.kind, a.what, a.runbook) for a in first.opened] == [
        ("quality", ("roc_auc",), "quality-estimate")
    ]
    assert "Estimated without labels: roc_auc fell: 0.68." in first.opened[0].sentence
    held = _verdict("roc_auc", cries=False)
    labelled = new_alerts(
        first.open, _window(2, fell=True), {"quality": _verdict("roc_auc")}, standing={"estimate": held}
    )
    assert [a.runbook for a in labelled.open] == ["quality-quality"]
    assert [(a.severity, a.since) for a in labelled.opened] == [
        ("alarm", START)
    ]  # the notice became an alarm
    later = replace(window, start=window.start + DAY, end=window.end + DAY)
    again = new_alerts(labelled.open, later, {"estimate": held}, standing={"quality": held})
    assert again.open[0].sentence == labelled.open[0].sentence
    over = new_alerts(again.open, later, {"estimate": QUIET}, standing={"quality": QUIET})
    assert over.resolved[0].resolved == later.end


def test_an_alert_is_json() -> None:
    alert = _run([(_window(2, SCORE), {"score": _verdict("score")})])[0][0]
    assert alert.as_json()["since"] == "2013-03-01T00:00:00Z"
    assert alert.as_json()["what"] == ["score"]
