"""`vitok performance`: every metric of the charter by window and slice, and what it is compared with."""

from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.cli.period import WindowsFromOption, WindowsToOption, period
from vitok.errors import UserMistake
from vitok.loop.keep import collect
from vitok.loop.performance_table import COMPARED, LATEST, Wanted, in_words, performance_table
from vitok.wire import open_project


def performance(
    last: Annotated[
        int | None,
        typer.Option("--last", metavar="N", help=f"The last N windows with labels. Default: {LATEST}."),
    ] = None,
    start: WindowsFromOption = None,
    end: WindowsToOption = None,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="NAME", help="Only this metric; repeat for more."),
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option("--slice", metavar="COLUMN=VALUE", help="Only this slice; repeat for more."),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Shows each metric of the charter on labelled windows, of all rows and by slice, with intervals and control
    limits, against what was accepted, the version before and the same season; and estimates of what has no labels.
    """
    if last is not None and (start is not None or end is not None):
        raise UserMistake("--last", "does not go with --from and --to", "Name the windows in one way.")
    first, final = period(start, end)
    wanted = Wanted(
        last=LATEST if last is None else last,
        start=first,
        end=final,
        metrics=tuple(metric or ()),
        parts=tuple(part or ()),
    )
    opened = open_project(project, say=say)
    collect(opened)
    payload = performance_table(opened, wanted)
    show(as_json, payload, render(payload))


def render(payload: dict[str, Any]) -> str:
    """The table for people."""
    lines = payload["lines"]
    parts = [in_words(payload)]
    if lines:
        names = ["rows of", "metric", "now", *(name.replace("_", " ") for name in COMPARED), "outside limits"]
        told = payload["differences"]
        parts += [
            "",
            table([_row(line) for line in lines], names),
            f"* differs: {told['differ']} of {told['comparisons']} comparisons; of these at most "
            f"{told['in_vain_at_most']:.0%} in vain.",
            *dict.fromkeys(line["limits_from"] for line in lines if not line["slice"]),
        ]
    if payload["estimates"]:
        names = ["window", "metric", "by calibrated scores", "made for these rows"]
        parts += [
            "",
            "Estimated, without labels:",
            table([_estimate_row(each) for each in payload["estimates"]], names),
            payload["warning"],
        ]
    return "\n".join(parts)


def _row(line: dict[str, Any]) -> list[Any]:
    known = [each["outside"] for each in line["windows"] if each["outside"] is not None]
    return [
        line["slice"] or "all",
        line["metric"],
        _interval(line["now"]),
        *(_apart(line[name]) for name in COMPARED),
        f"{sum(known)}/{len(known)}" if known else None,
    ]


def _apart(found: dict[str, Any] | None) -> str | None:
    if found is None:
        return None
    apart = found["difference"]
    star = "*" if found["differs"] else ""
    return f"{apart['value']:+.3g}{star} ({apart['low']:+.3g} to {apart['high']:+.3g})"


def _interval(found: dict[str, Any]) -> str:
    return f"{found['value']:.4g} ({found['low']:.4g} to {found['high']:.4g})"


def _estimate_row(each: dict[str, Any]) -> list[Any]:
    made = each["reweighted"]
    told = None if made is None else made.get("undecidable") or _interval(made)
    return [each["start"][:16], each["metric"], _interval(each["calibrated"]), told]


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok performance --last 28 --slice origin=JFK")(performance)
