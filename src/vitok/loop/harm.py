"""What a moved window means: in which slice it lies, and what it probably does to quality and money."""

from collections.abc import Mapping

from vitok.economics.decisions import PROFIT
from vitok.journal.profiles import ProfileStore
from vitok.loop.looks import NOT_WATCHED, Look
from vitok.monitor.alerts import Kind
from vitok.monitor.evidence import Family, Verdict
from vitok.stats.estimates import Estimate
from vitok.stats.packed import unpack
from vitok.stats.shifts import shift_of, without

# A slice is told if without it little of the shift is left.
_LEFT = 0.5
_LEAST_ROWS = 200


def harm_of(look: Look, profiles: ProfileStore, verdicts: Mapping[Family, Verdict]) -> dict[Kind, str]:
    """What alerts on a window should say beside what moved; only of the kinds that have something to say.

    Args:
        look: The window.
        profiles: Where its slices are.
        verdicts: What the evidence says after it.
    """
    holding = {family for family, verdict in verdicts.items() if verdict.holds}
    found: dict[Kind, list[str]] = {"drift": [], "quality": []}
    if holding & {"score", "features", "inputs"}:
        found["drift"] = [_where_drifted(look, profiles), _foretold(look)]
    if holding & {"quality", "rules"}:
        found["quality"] = [_where_fallen(look), _lost(look, look.window.quality, look.window.labelled)]
    elif "estimate" in holding:
        found["quality"] = [_lost(look, look.window.estimated, look.window.rows)]
    return {kind: " ".join(part for part in parts if part) for kind, parts in found.items() if any(parts)}


def _where_drifted(look: Look, profiles: ProfileStore) -> str:
    """The slice that the most moved column moved in, if leaving it out leaves little of the shift."""
    finding = next((each for each in look.window.drift if each.moved and each.shifted), None)
    if finding is None or finding.psi is None:
        return ""
    version, span, name = look.version, (look.window.start, look.window.end), finding.column
    whole = profiles.read(*span, version.digest, without=NOT_WATCHED)
    if whole is None:
        return ""
    column, then = unpack(whole, version.bins).columns[name], version.reference.profile.columns[name]
    best: tuple[float, str] | None = None
    for part in profiles.slices(*span, version.digest):
        packed = profiles.read(*span, version.digest, part=part, without=NOT_WATCHED)
        if packed is None or whole.rows - packed.rows < _LEAST_ROWS or part.startswith(f"{name}="):
            continue
        rest = shift_of(then, without(column, unpack(packed, version.bins).columns[name]))
        if rest is not None and (best is None or rest.psi < best[0]):
            best = rest.psi, part
    if best is None or best[0] > _LEFT * finding.psi:
        return ""
    return f"It lies mostly in {best[1]}: without it the PSI of {name} is {best[0]:.2f}."


def _foretold(look: Look) -> str:
    """What the scores foretell of the window's quality, for the first metric that is watched."""
    finding = next(iter(look.window.foretold), None)
    if finding is None:
        return ""
    found = finding.estimate
    told = (
        f"Estimated {finding.metric} {found.value:.4g} ({found.low:.4g} to {found.high:.4g}), "
        f"accepted with {finding.accepted:.4g}; an estimate does not see a change of what inputs mean."
    )
    return " ".join(part for part in (told, _lost(look, look.window.estimated, look.window.rows)) if part)


def _where_fallen(look: Look) -> str:
    """The slice with the worst main metric, if it is surely worse than the window as a whole."""
    finding = next((each for each in look.window.fallen if each.metric in look.window.quality), None)
    if finding is None:
        return ""
    known = {
        part: metrics[finding.metric]
        for part, metrics in look.window.slices.items()
        if finding.metric in metrics
    }
    falls = finding.estimate.value < finding.accepted
    whole = finding.estimate

    def badness(found: Estimate) -> float:
        return whole.low - found.high if falls else found.low - whole.high

    worst = max(known, key=lambda part: badness(known[part]), default=None)
    if worst is None or badness(known[worst]) <= 0:
        return ""
    found = known[worst]
    return f"Worst in {worst}: {found.value:.4g} ({found.low:.4g} to {found.high:.4g}, {found.rows} labels)."


def _lost(look: Look, metrics: Mapping[str, Estimate], rows: int) -> str:
    """Money that the window lost against the accepted profit, if its interval says that it lost any."""
    found, accepted = metrics.get(PROFIT), look.version.accepted.get(PROFIT)
    if found is None or accepted is None or found.high >= accepted.value:
        return ""
    lost, least = ((accepted.value - each) * rows / 1000 for each in (found.value, found.high))
    return f"It cost about {lost:.0f} in this window, at least {least:.0f}."
