"""How windows are distributed against what they are compared with: ranked, in words, and through time."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from vitok.charter.review import main_metric
from vitok.errors import NotFound, UserMistake, did_you_mean, shortened
from vitok.journal.profiles import WHOLE, ProfileStore
from vitok.kernel.clock import format_time
from vitok.loop.drift_compared import quality_compared
from vitok.loop.drift_counts import Counts
from vitok.loop.drift_history import history_of
from vitok.loop.drift_ranking import ranked, unseen_share
from vitok.loop.drift_spans import Against, Asked, Span, base_spans, chosen_span, day
from vitok.loop.journals import JournalReader
from vitok.loop.looks import Looks, Version, leading, watched_groups
from vitok.loop.profiling import open_profiler
from vitok.loop.project import Project
from vitok.monitor.drift import drift_findings
from vitok.registry import windows as remembered
from vitok.stats.bins import Bins, CategoryBins, NumericBins
from vitok.stats.profiles import Profile, Reference
from vitok.stats.shifts import shift_of
from vitok.stats.variation import Usual, Variation, angle, baseline, log_psi

_SHOWN = 6  # features beside the score, unless some are named
_COMPARED = 30  # earlier comparisons of the same kind that say what is usual
_WORDS: dict[Against, str] = {
    "previous": "the same length of time before",
    "week": "up to four such spans before, on the same weekdays",
    "year": "the same days of the year before",
}


def drift(project: Project, journal: JournalReader, asked: Asked, *, through_time: bool) -> dict[str, Any]:
    """The object that `vitok drift --json` prints.

    Args:
        through_time: Whether to add how columns, quality and segments went, for pictures.

    Raises:
        UserMistake: there are no such windows, features, slices, or nothing to compare with.
    """
    with open_profiler(project) as profiler:
        profiler.catch_up(journal)
        return _drift(project, journal, profiler.store, asked, through_time)


def _drift(
    project: Project, journal: JournalReader, store: ProfileStore, asked: Asked, through_time: bool
) -> dict[str, Any]:
    charter, width = project.charter, project.charter.monitor.window
    span, looks = chosen_span(asked, store, width, project.clock()), Looks(project, journal, store)
    version = looks.version(*leading(watched_groups(store, span.start, span.end)))
    counts = Counts(store, looks, version, asked.part)
    features = _features(asked.features, counts.bins)
    current = counts.own(span)
    if current is None:
        raise _no_such_slice(asked.part, store, span, counts.version)
    against: Against = asked.against or ("previous" if asked.part != WHOLE else "reference")
    base, bases = _base(counts, against, span)
    usual = _usual(counts, against, span)
    with project.engine.connect() as connection:
        judged = remembered.all_windows(connection)
    importance = counts.version.importance
    past = [each for each in judged if each["end"] <= span.end and each["version"] == counts.version.number]
    held = Reference({name: counts.bins[name] for name in counts.bins if name in base.columns}, base)
    findings = drift_findings(held, current, charter.monitor.drift, variation=usual)
    ranking = ranked(findings, base, current, importance, past if asked.part == WHOLE else [])
    shown = features or [each["feature"] for each in ranking[: _SHOWN + 1]]
    history = history_of(project, counts, span, current, shown, judged) if through_time else None
    return {
        "project": charter.project,
        "window": _window(span, width, current, counts),
        "against": {"what": against, **_compared(base, bases, counts)},
        "effect": charter.monitor.drift.effect,
        "columns": len(ranking),
        "moved": [each["sentence"] for each in ranking if each["moved"]],
        "ranking": [each for each in ranking if not features or each["feature"] in features],
        "quality_against": quality_compared(main_metric(charter), span, counts.version.number, judged)
        if asked.part == WHOLE
        else None,
        "history": history,
        "notes": _notes(asked, against, counts, span, width, usual is not None, bool(importance)),
    }


def _window(span: Span, width: timedelta, current: Profile, counts: Counts) -> dict[str, Any]:
    return {
        "start": format_time(span.start),
        "end": format_time(span.end),
        "windows": span.length // width,
        "rows": current.rows,
        "version": counts.version.number,
        "slice": counts.part or None,
    }


def _compared(base: Profile, bases: Sequence[Span], counts: Counts) -> dict[str, Any]:
    spans = [{"start": format_time(each.start), "end": format_time(each.end)} for each in bases]
    return {"rows": base.rows, "spans": spans, "recounted": sorted(counts.recounted)}


def _features(asked: Sequence[str], bins: Bins) -> list[str]:
    for name in asked:
        if name not in bins:
            known = ", ".join(shortened(each)[1:-1] for each in sorted(bins))
            raise UserMistake(
                f"--feature {shortened(name)[1:-1]}",
                "is no input of this version",
                f"{did_you_mean(name, bins)}There are {known}.",
            )
    return list(dict.fromkeys(asked))


def _no_such_slice(part: str, store: ProfileStore, span: Span, version: Version) -> UserMistake:
    known = store.slices(span.start, span.end, version.digest)
    if not known:
        remedy = "No slices are kept of these windows: name columns under monitor.slices."
    else:
        remedy = f"{did_you_mean(part, known)}There are {', '.join(known)}."
    return NotFound(f"--slice {shortened(part)[1:-1]}", f"has no rows in {span}", remedy)


def _base(counts: Counts, against: Against, span: Span) -> tuple[Profile, list[Span]]:
    """What the windows are compared with, and the spans that it is made of."""
    if against == "reference":
        return counts.version.reference.profile, []
    asked = base_spans(against, span)
    found = [each for each in asked if watched_groups(counts.store, each.start, each.end)]
    profile = counts.all(found)
    kept = counts.store.span()
    if profile is None or kept is None:
        wanted = ", ".join(map(str, asked))
        part = f" of {counts.part}" if counts.part else ""
        have = "nothing" if kept is None else f"{day(kept[0])} to {day(kept[1])}"
        raise NotFound(
            f"--against {against}",
            f"no rows{part} are kept of {wanted}",
            f"Kept are {have}: compare with another span, such as --against reference.",
        )
    return profile, found


def _usual(counts: Counts, against: Against, span: Span) -> Variation | None:
    """How far comparisons of this kind lie apart; None where too few say so."""
    if against == "reference":
        return counts.version.usual if counts.part == WHOLE else None
    kept = counts.store.span()
    if kept is None or against == "year":
        return None
    pairs = []
    for number in range(1, _COMPARED + 1):
        earlier = span.back(number * span.length)
        bases = base_spans(against, earlier)
        if bases[-1].start < kept[0]:
            break
        now, then = counts.all([earlier]), counts.all(bases)
        if now is not None and then is not None:
            pairs.append((then, now))
    columns = {name: _usual_of(name, each, pairs) for name, each in counts.bins.items()}
    return Variation(span.length.total_seconds(), columns)


def _usual_of(name: str, bins: NumericBins | CategoryBins, pairs: Sequence[tuple[Profile, Profile]]) -> Usual:
    known = [
        (then.columns[name], now.columns[name])
        for then, now in pairs
        if name in then.columns and name in now.columns
    ]
    shifts = [shift for then, now in known if (shift := shift_of(then, now)) is not None]
    missing = [now.missing / now.rows for _, now in known if now.rows]
    unseen = [unseen_share(now) or 0.0 for _, now in known] if isinstance(bins, CategoryBins) else []
    return Usual(
        shift=baseline([log_psi(each.psi) for each in shifts]),
        missing=baseline([angle(each) for each in missing]),
        unseen=baseline([angle(each) for each in unseen]),
    )


def _notes(
    asked: Asked,
    against: Against,
    counts: Counts,
    span: Span,
    width: timedelta,
    has_usual: bool,
    has_importance: bool,
) -> list[str]:
    """What a reader must know about the figures."""
    own, notes = counts.version, []
    others = {
        each.version: each.rows
        for each in watched_groups(counts.store, span.start, span.end)
        if each.digest != own.digest
    }
    if others:
        rows = ", ".join(f"version {number} ({count} rows)" for number, count in sorted(others.items()))
        notes.append(f"Rows of version {own.number}, for which it is judged; left out are {rows}.")
    if counts.recounted:
        names = ", ".join(map(str, sorted(counts.recounted)))
        notes.append(
            f"Rows of version {names} were counted by other bins and are recounted by those of version {own.number}, "
            "as if they lay evenly inside of each bin: near, not exact."
        )
    if counts.lost:
        names = ", ".join(map(str, sorted(counts.lost)))
        notes.append(f"Rows of version {names} are left out: its bundle is gone.")
    if asked.part and against == "reference":
        notes.append(
            "The reference is not kept by slice: what always set this slice apart counts as drift here. "
            "Use --against previous or week."
        )
    if against != "reference":
        notes.append(f"What the sentences call the reference is what is compared with: {_WORDS[against]}.")
    if not has_usual:
        notes.append(
            "How far such comparisons usually lie apart is not known: rows count as independent, and days are not."
        )
    elif against == "reference" and span.length > width:
        notes.append("Usual is what single windows reach; several together lie nearer to the reference.")
    if not has_importance:
        notes.append("Nobody has measured the importance of inputs: features are ranked by PSI alone.")
    return notes
