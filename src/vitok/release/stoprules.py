"""What ends a comparison early, in words: the limits of the charter with their part of alpha, and what always does."""

from collections.abc import Callable
from typing import Any

import msgspec

from vitok.charter.releasing import Guard, Release
from vitok.kernel.clock import format_duration


class Rule(msgspec.Struct, frozen=True):
    """One reason to end.

    Args:
        name: Of the limit, `split`, or what always ends a roll-out.
        limit: As the charter writes it; empty where it states none.
        alpha: Chance of a false alarm of this rule; None where nothing is tested.
        sentence: The rule in words.
    """

    name: str
    limit: str
    alpha: float | None
    sentence: str


_WORDS: dict[str, tuple[Callable[[Any], str], str]] = {
    "errors": (
        lambda limit: f"{limit:g}x",
        "more units fail for certain, and as far as one can tell more than {} as many as the champion's",
    ),
    "latency": (
        lambda limit: f"{limit:g}x",
        "more units exceed {} the champion's p50, p95 or p99 for certain (three tests share the part)",
    ),
    "quality": (
        lambda limit: f"{limit:g}",
        "fewer decisions are right for certain, and as far as one can tell by more than {}",
    ),
    "profit": (
        lambda limit: f"{limit:g}",
        "a decision earns less for certain, and as far as one can tell by more than {}",
    ),
    "conversion": (
        lambda limit: f"{100 * limit:g}%",
        "fewer units have the positive outcome for certain, and as far as one can tell {} fewer or more",
    ),
    "latency_p95": (format_duration, "more than one unit in twenty takes longer than {} for certain"),
}


def stop_rules(release: Release) -> list[Rule]:
    """All of them, the charter's limits first."""
    limits = {name: getattr(release.guard, name) for name in Guard.model_fields if name in _WORDS}
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    rules = []
    for name, limit in limits.items():
        written, words = _WORDS[name][0](limit), _WORDS[name][1]
        part = release.alpha / len(limits)
        rules.append(Rule(name, written, part, f"Back to the champion as soon as {words.format(written)}."))
    split = "Ended without a verdict if units are not split as planned: then no figure can be trusted."
    rules.append(Rule("split", "", 0.001, split))
    if release.exposure is not None:
        most = int(release.exposure.budget // release.exposure.per_answer)
        said = f"Ended without a verdict after {most:,} answers of the new version: more the budget of harm forbids."
        rules.append(Rule("exposure", f"{release.exposure.budget:g}", None, said))
    always = (
        "Back to the champion if the version hangs two workers, loses its verdict, or a file of it is gone."
    )
    rules.append(Rule("trouble", "", None, always))
    return rules
