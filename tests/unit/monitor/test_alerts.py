"""Alerts: few, grouped, calm."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from vitok.monitor.alerts import Alert, new_alerts
from vitok.monitor.drift import DriftFinding
from vitok.monitor.quality import QualityFinding
from vitok.monitor.windows import Window
from vitok.stats.estimates import Estimate

DAY = timedelta(days=1)
START = datetime(2013, 3, 1, tzinfo=UTC)


def _drift(
    column: str, psi: float, alarm: bool = True, missing: bool = False, few: bool = False
) -> DriftFinding:
    status = "undecidable" if few else "moved" if alarm else "quiet"
    return DriftFinding(
        column=column,
        status=status,
        rows=500,
        psi=psi,
        critical=0.02,
        ks=0.1,
        js=0.1,
        wasserstein=0.1,
        missing_then=0.0,
        missing_now=0.2 * missing,
        unseen_now=0.0,
        shifted=alarm and not missing,
        missing_changed=missing,
        unseen_jumped=False,
        effect=alarm,
        alarm=alarm,
        sentence=f"{column}: PSI {psi}.",
    )


CALM = (_drift("score", 0.01, alarm=False), _drift("temp", 0.02, alarm=False))
SEASON = (_drift("score", 0.01, alarm=False), _drift("temp", 1.1), _drift("dewp", 8.2))
SCORE = (_drift("score", 0.4), _drift("temp", 1.1))
BROKEN = (_drift("score", 0.01, alarm=False), _drift("temp", 0.0, missing=True))
FEW = (_drift("score", 0.0, alarm=False, few=True),)


def _window(
    day: int, drift: tuple[DriftFinding, ...] = (), fell: bool | None = None, state: str = "final"
) -> Window:
    fallen = ()
    if fell is not None:
        estimate = Estimate(0.66, 0.64, 0.68, 500, "DeLong")
        fallen = (QualityFinding("roc_auc", estimate, 0.75, 0.71, fell, "roc_auc fell: 0.66."),)
    start = START + day * DAY
    return Window(start, start + DAY, 500, 500, state, drift, {}, fallen)  # type: ignore[arg-type]


def _run(windows: list[Window], cooldown: timedelta | None = None) -> tuple[list[Alert], list[Alert]]:
    """All alerts that were raised, and all that are known at the end."""
    raised: list[Alert] = []
    known: list[Alert] = []
    past: list[Alert] = []
    for window in windows:
        step = new_alerts([*known, *past], window, cooldown)
        raised += step.opened
        known, past = list(step.open), [*past, *step.resolved]
    return raised, [*known, *past]


def test_a_season_is_one_notice_that_names_the_features_and_starts_nothing() -> None:
    raised, _ = _run([_window(day, SEASON) for day in range(30)])
    assert len(raised) == 1
    assert raised[0].severity == "notice"
    assert raised[0].what == ("dewp", "temp")
    assert "scores did not move" in raised[0].sentence


def test_a_moved_score_or_missing_values_are_an_alarm() -> None:
    for findings, first in ((SCORE, "score"), (BROKEN, "temp")):
        raised, known = _run([_window(0, findings)])
        assert [alert.severity for alert in raised] == ["alarm"]
        assert raised[0].what[0] == first
        assert known == raised
    assert "Check the source of temp" in _run([_window(0, BROKEN)])[0][0].remedy


def test_fallen_quality_is_one_alarm_beside_the_drift() -> None:
    raised, _ = _run([_window(0, SEASON, fell=True)])
    assert [(alert.kind, alert.severity) for alert in raised] == [("drift", "notice"), ("quality", "alarm")]
    assert raised[1].what == ("roc_auc",)
    assert raised[1].since == START


def test_quality_is_judged_only_when_labels_have_come_and_nothing_while_a_window_is_open() -> None:
    assert _run([_window(0, CALM, fell=True, state="maturing")])[0] == []
    assert _run([_window(0, SCORE, fell=True, state="open")])[0] == []


def test_an_alert_ends_after_two_windows_without_its_condition() -> None:
    _, known = _run([_window(0, SCORE), _window(1, CALM), _window(2, SCORE), _window(3, CALM)])
    assert known[0].is_open
    _, known = _run([_window(0, SCORE), _window(1, CALM), _window(2, CALM)])
    assert known[0].resolved == START + 3 * DAY
    assert not known[0].is_open


def test_windows_with_too_few_rows_neither_raise_nor_calm() -> None:
    raised, known = _run([_window(0, SCORE), _window(1, FEW), _window(2, FEW), _window(3, ())])
    assert len(raised) == 1
    assert known[0].is_open
    assert known[0].calm == 0


def test_cooldown_holds_back_repeats_but_no_alarm_after_a_notice() -> None:
    flapping = [_window(0, SCORE), _window(1, CALM), _window(2, CALM), _window(4, SCORE), _window(12, SCORE)]
    assert len(_run(flapping[:4], timedelta(days=7))[0]) == 1
    assert len(_run(flapping, timedelta(days=7))[0]) == 2
    assert len(_run(flapping[:4])[0]) == 2
    worse = [_window(0, SEASON), _window(1, CALM), _window(2, CALM), _window(3, SCORE)]
    assert [alert.severity for alert in _run(worse, timedelta(days=7))[0]] == ["notice", "alarm"]


def test_a_notice_that_becomes_an_alarm_is_told_again_with_its_first_day() -> None:
    raised, known = _run([_window(0, SEASON), _window(1, SEASON), _window(2, SCORE), _window(3, SEASON)])
    assert [alert.severity for alert in raised] == ["notice", "alarm"]
    assert raised[1].since == START
    assert raised[1].opened == START + 3 * DAY
    assert [(alert.severity, alert.is_open) for alert in known] == [("alarm", True)]


def test_a_window_that_was_judged_is_passed_over() -> None:
    first = new_alerts([], _window(0, SCORE))
    again = new_alerts(first.open, _window(0, CALM))
    assert again.open == first.open
    closed = replace(first.open[0], resolved=START + DAY)
    assert new_alerts([closed], _window(0, SCORE)).opened == ()


def test_quality_can_be_judged_later_than_drift() -> None:
    drift = new_alerts([], _window(5, SCORE, state="maturing"), kinds=("drift",))
    step = new_alerts(drift.open, _window(0, SCORE, fell=True), kinds=("quality",))
    assert [alert.kind for alert in step.opened] == ["quality"]
    assert {alert.kind for alert in step.open} == {"drift", "quality"}


def test_an_alert_is_json() -> None:
    alert = _run([_window(0, SCORE)])[0][0]
    assert alert.as_json()["since"] == "2013-03-01T00:00:00Z"
    assert alert.as_json()["what"] == ["score", "temp"]
