"""Whether the quality of the last windows differs from that of the version before, and of the same season."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vitok.loop.drift_quality import mean_estimate
from vitok.loop.drift_spans import Against, Span, base_spans
from vitok.monitor.quality import PAST_WINDOWS, spread_between
from vitok.stats.estimates import Estimate
from vitok.stats.groups import independent_difference

_LATEST = 7  # windows that speak for the present where none of those asked for has its labels yet
_BEFORE = 28  # windows that speak for the version before, its last ones
_HALF_WIDTH = 1.645  # of a 90 % interval, in standard errors
_SEASONS: Mapping[Against, str] = {
    "year": "the same days a year before",
    "week": "the same weekdays of the weeks before",
}

Windows = Sequence[Mapping[str, Any]]


def quality_compared(
    metric: str, span: Span, version: int, judged: Windows, accepted: Estimate | None = None
) -> dict[str, Any]:
    """The metric of the windows in a span against earlier ones, each with its interval and whether it differs.

    Windows differ among each other by more than the chance of their rows; both intervals hold that too. The same season
    is the same days a year before, or where these are not kept, the same weekdays of up to four weeks before.

    Args:
        span: What is looked at; if no label of it has come, the last seven windows that have theirs speak for it.
        version: That answered in it.
        judged: All windows that were ever judged, oldest first.
        accepted: The metric when the version was accepted; None if it is not known.

    Returns:
        metric, now, windows, and by `accepted`, `previous_version` and `same_season` what it is compared with: against
        (in words), windows, then, difference, p_value, significant; null where there is nothing to compare with;
        sentences of all.
    """
    known = [each for each in judged if metric in each["quality"] and each["start"] < span.end]
    mine = [each for each in known if each["version"] == version]
    now = [each for each in mine if each["start"] >= span.start] or mine[-_LATEST:]
    found: dict[str, Any] = {"metric": metric, "now": None, "windows": len(now)}
    found |= {"accepted": None, "previous_version": None, "same_season": None, "sentences": []}
    if not now:
        return found
    here = _together(metric, now, mine)
    found["now"] = here.as_json()
    if accepted is not None:
        found["accepted"] = _apart(here, accepted, 0, "its acceptance")
        found["sentences"].append(_sentence(metric, here, found["accepted"]))
    others = [each["version"] for each in known if each["start"] < mine[0]["start"]]
    if others:
        before = [each for each in known if each["version"] == others[-1]][-_BEFORE:]
        found["previous_version"] = _against(metric, here, before, f"version {others[-1]}", known)
        found["sentences"].append(_sentence(metric, here, found["previous_version"]))
    covered = Span(now[0]["start"], now[-1]["end"])
    for against, words in _SEASONS.items():
        spans = base_spans(against, covered)
        season = [each for each in known if any(part.start <= each["start"] < part.end for part in spans)]
        if season:
            found["same_season"] = _against(metric, here, season, words, known)
            found["sentences"].append(_sentence(metric, here, found["same_season"]))
            break
    return found


def _against(metric: str, now: Estimate, windows: Windows, words: str, known: Windows) -> dict[str, Any]:
    return _apart(now, _together(metric, windows, known), len(windows), words)


def _apart(now: Estimate, then: Estimate, windows: int, words: str) -> dict[str, Any]:
    apart = independent_difference(now, then)
    return {
        "against": words,
        "windows": windows,
        "then": then.as_json(),
        "difference": apart.as_json(),
        "p_value": _p_value(apart),
        "significant": apart.low > 0 or apart.high < 0,
    }


def _p_value(apart: Estimate) -> float:
    """Against "there is no difference", from the side of the 90 % interval that faces zero."""
    error = (apart.value - apart.low if apart.value > 0 else apart.high - apart.value) / _HALF_WIDTH
    if error <= 0:
        return 1.0 if apart.value == 0 else 0.0
    return math.erfc(abs(apart.value) / error / math.sqrt(2))


def _sentence(metric: str, now: Estimate, found: Mapping[str, Any]) -> str:
    said = "differs from" if found["significant"] else "does not differ for certain from"
    apart, then = found["difference"], found["then"]["value"]
    return (
        f"{metric} {now.value:.4g} {said} {then:.4g} of {found['against']}: {apart['value']:+.4g} "
        f"({apart['low']:+.4g} to {apart['high']:+.4g})."
    )


def _together(metric: str, windows: Windows, known: Windows) -> Estimate:
    """The mean of some windows; its interval holds what windows differ by, as all that are known tell."""
    each = [Estimate(**window["quality"][metric]) for window in windows]
    mean = mean_estimate(each)
    assert mean is not None
    past = [Estimate(**window["quality"][metric]) for window in known][-PAST_WINDOWS:]
    rows = sum(found.rows for found in each) or 1
    share = math.sqrt(sum((found.rows / rows) ** 2 for found in each))
    more = _HALF_WIDTH * spread_between(past, each[-1]) * share
    low, high = (
        mean.value - math.hypot(mean.value - mean.low, more),
        mean.value + math.hypot(mean.high - mean.value, more),
    )
    return Estimate(mean.value, low, high, mean.rows, f"{mean.method}, with what windows differ by")
