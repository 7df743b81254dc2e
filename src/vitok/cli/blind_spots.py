"""`vitok blind-spots`: where the model is worse than elsewhere, without anybody having named the place."""

from typing import Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.cli.period import FromOption, ToOption, period
from vitok.loop.blind_spots import project_blind_spots
from vitok.wire import open_project


def blind_spots(
    start: FromOption = None,
    end: ToOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Shows groups of labelled rows that nobody named and in which the version in production is clearly worse."""
    payload = project_blind_spots(open_project(project, say=say), *period(start, end))
    show(as_json, payload, render(payload))


def render(payload: dict[str, Any]) -> str:
    """The groups for people."""
    head = f"Version {payload['version']}: {payload['rows']} labelled rows"
    if payload["why"] is not None:
        return f"{head}\nNot looked for: {payload['why']}."
    metric, tolerated = payload["metric"], f"{payload['concession']:.0%}"
    if not payload["blind_spots"]:
        return (
            f"{head}\nNo blind spot: of {payload['looked_at']} groups that stood out none has a {metric} that is "
            f"surely worse than elsewhere by more than {tolerated}."
        )
    rows = [
        [
            spot["condition"],
            f"{spot['rows']} ({spot['share']:.0%})",
            _between(spot["inside"]),
            _between(spot["elsewhere"]),
            _between(spot["difference"], "+"),
            None if spot["cost"] is None else _money(spot["cost"]),
        ]
        for spot in payload["blind_spots"]
    ]
    said = table(rows, ["where", "rows", metric, "elsewhere", "difference", "costs more"])
    return (
        f"{head}\n{said}\nFound on one half of the rows, judged on the other: at most {payload['alpha']:.0%} of such "
        f"findings are vain; up to {tolerated} less than elsewhere is tolerated."
    )


def _between(found: dict[str, Any], sign: str = "") -> str:
    return f"{found['value']:{sign}.3g} ({found['low']:{sign}.3g} to {found['high']:{sign}.3g})"


def _money(cost: dict[str, float]) -> str:
    return f"{cost['value']:,.0f} ({cost['low']:,.0f} to {cost['high']:,.0f})"


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok blind-spots --from 2013-06-01")(blind_spots)
