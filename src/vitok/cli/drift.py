"""`vitok drift`: how production is distributed against the reference, or against earlier windows."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.cli.charts import PlotOption, require_plot, write_chart
from vitok.cli.files import require_file, write_file
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.cli.period import WindowsFromOption, WindowsToOption, period
from vitok.errors import UserMistake, did_you_mean
from vitok.journal.ledger import StillLedger
from vitok.kernel.clock import parse_time
from vitok.loop.drift import drift as look_at_drift
from vitok.loop.drift_spans import AGAINST, Against, Asked
from vitok.loop.effects import add_effects
from vitok.loop.keep import collect
from vitok.loop.together import moved_together
from vitok.report.drift_charts import overview_chart
from vitok.report.drift_page import drift_page
from vitok.wire import open_project


def drift(
    window: Annotated[
        str | None, typer.Option("--window", metavar="START", help="The window that holds this moment.")
    ] = None,
    last: Annotated[
        int | None, typer.Option("--last", metavar="N", help="The last N windows together.")
    ] = None,
    start: WindowsFromOption = None,
    end: WindowsToOption = None,
    feature: Annotated[
        list[str] | None,
        typer.Option("--feature", metavar="COLUMN", help="Only this column, or `score`; repeat for more."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against", metavar="WHAT", help="reference, previous, week or year. Default: reference."
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option("--slice", metavar="COLUMN=VALUE", help="Only these rows, such as origin=JFK."),
    ] = None,
    together: Annotated[
        bool,
        typer.Option(
            "--together", help="Ask too whether all inputs together moved, by rows: some seconds more."
        ),
    ] = False,
    effect: Annotated[
        bool,
        typer.Option(
            "--effect",
            help="Reckon too what the shift of each column alone does to the main metric, and rank by it.",
        ),
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with pictures of all of it.")
    ] = None,
    plot: PlotOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Ranks what moved in the last window that is over, with distances, intervals, and since when; draws pictures."""
    require_plot(plot)
    if html is not None:
        require_file("--html", html, "page", (".html", ".htm"))
    first, final = period(start, end)
    asked = Asked(
        window=None if window is None else parse_time(window, "--window"),
        last=last,
        start=first,
        end=final,
        features=tuple(feature or ()),
        against=_against(against),
        part=part or "",
    )
    opened = open_project(project, say=say)
    collect(opened)
    pictured = as_json or html is not None or plot is not None
    journal = StillLedger(opened.lake)
    payload = look_at_drift(opened, journal, asked, through_time=pictured)
    if effect:
        add_effects(opened, journal, payload)
    if together:
        payload["together"] = moved_together(opened, payload["window"])
    if plot is not None:
        write_chart(overview_chart(payload), plot)
    if html is not None:
        _write_page(payload, html)
    written = {"html": str(html) if html else None, "plot": str(plot) if plot else None}
    show(as_json, {**payload, **written}, render(payload))


def _against(text: str | None) -> Against | None:
    found = next((name for name in AGAINST if name == text), None)
    if text is not None and found is None:
        what = f"{text!r} is nothing to compare with"
        raise UserMistake(
            "--against", what, f"{did_you_mean(text, AGAINST)}Write one of {', '.join(AGAINST)}."
        )
    return found


def _write_page(payload: dict[str, Any], path: Path) -> None:
    import vl_convert  # slow to import, and most looks draw nothing

    write_file("--html", path, drift_page(payload, vl_convert.vegalite_to_svg).encode())


def render(payload: dict[str, Any]) -> str:
    """The ranking for people."""
    window, against = payload["window"], payload["against"]
    part = f" of {window['slice']}" if window["slice"] else ""
    spans = [f"{_moment(each['start'])} to {_moment(each['end'])}" for each in against["spans"]]
    held = f"{against['what']} ({', '.join([*spans, str(against['rows'])])} rows)"
    count = "" if window["windows"] == 1 else f" ({window['windows']} windows)"
    head = (
        f"{_moment(window['start'])} to {_moment(window['end'])}{count}: {window['rows']} rows{part} of version "
        f"{window['version']}, against {held}"
    )
    with_importance = any(line["importance"] is not None for line in payload["ranking"])
    names = [
        "column",
        "PSI",
        "90 %",
        "usual",
        "beyond",
        "KS",
        "JS",
        "KL",
        "Hellinger",
        "Wasserstein",
        "chi2 p",
    ]
    names += ["missing", "unseen", "verdict", "since", "of late"]
    if with_importance:
        names.insert(1, "importance")
    rows = [_row(line, with_importance) for line in payload["ranking"]]
    if "effect_on" in payload:
        names.insert(1, f"effect on {payload['effect_on']}")
        rows = [[row[0], _effect(line), *row[1:]] for row, line in zip(rows, payload["ranking"], strict=True)]
    moved = [line["sentence"] for line in payload["ranking"] if line["moved"]]
    said = moved or ["None of these columns moved."]
    return "\n".join(
        [
            head,
            "",
            table(rows, names),
            "",
            *said,
            *(payload["quality_against"] or {"sentences": []})["sentences"],
            *_without_effect(payload),
            *_together(payload.get("together")),
            *(f"note: {note}" for note in payload["notes"]),
        ]
    )


def _together(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    if "undecidable" in found:
        return [f"All inputs together: {found['undecidable']}."]
    auc = found["auc"]
    usual = ", ".join(f"{each:.2f}" for each in found["usual"])
    lines = [
        f"All inputs together: rows are told apart from training rows with an AUC of {auc['value']:.3f} "
        f"({auc['low']:.3f} to {auc['high']:.3f}; 0.5: not at all"
        + (f"; windows of the training data themselves: {usual})." if usual else ").")
    ]
    if found["leans_on"]:
        lines.append(f"  what tells them apart: {', '.join(found['leans_on'][:5])}")
    if found["rebuilt"] is not None:
        lines.append(
            f"  rebuilt from the main components of the training rows with {found['rebuilt']:.2f} times their error"
        )
    return lines


def _row(line: dict[str, Any], with_importance: bool) -> list[Any]:
    psi = line["psi"]
    distances = [
        line[name] and _figure(line[name]["value"]) for name in ("ks", "js", "kl", "hellinger", "wasserstein")
    ]
    beyond = line["beyond_usual"]
    found = [
        line["feature"],
        psi and _figure(psi["value"]),
        psi and f"{psi['low']:.2f}-{psi['high']:.2f}",
        line["usual"] if line["usual"] is None else _figure(line["usual"]),
        None if beyond is None else "yes" if beyond else "no",
        *distances,
        None if line["chi_square_p"] is None else f"{line['chi_square_p']:.1g}",
        f"{line['missing_then']:.1%} -> {line['missing_now']:.1%}",
        f"{line['unseen_now']:.1%}",
        line["status"],
        line["since"] and _moment(line["since"]),
        f"{line['moved_windows']}/{line['judged_windows']}",
    ]
    if with_importance:
        found.insert(1, line["importance"] if line["importance"] is None else f"{line['importance']:.4f}")
    return found


def _without_effect(payload: dict[str, Any]) -> list[str]:
    """Why the effect of some columns cannot be told, of each reason the columns."""
    found: dict[str, list[str]] = {}
    for line in payload["ranking"]:
        reason = (line.get("effect") or {}).get("undecidable")
        if reason is not None:
            found.setdefault(reason, []).append(line["feature"])
    return [f"No effect of {', '.join(names)}: {reason}." for reason, names in found.items()]


def _effect(line: dict[str, Any]) -> str | None:
    found = line["effect"]
    if found is None or "undecidable" in found:
        return None
    return f"{found['value']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"


def _figure(number: float) -> str:
    return f"{number:.2f}" if number >= 0.1 else f"{number:.3f}"


def _moment(text: str) -> str:
    return text[:16].removesuffix("T00:00")


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok drift --last 7 --html drift.html")(drift)
