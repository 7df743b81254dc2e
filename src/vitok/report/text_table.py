"""Text as a panel of a chart: lines below each other, in columns."""

import textwrap
from collections.abc import Sequence
from typing import Any, Literal

from vitok.report.chart_style import DARK, WIDTH, chart_title

PANEL = 13  # size of a panel's title
Column = tuple[str, int, Literal["normal", "bold"]]  # name, place in pixels, weight
_LINE = 15  # pixels of a line of text


def wrapped(head: dict[str, str], reason: str, width: int) -> list[dict[str, str]]:
    """Lines of a text, the first of them with its head."""
    blank = {name: "" for name in head if name != "colour"} | {"colour": head["colour"]}
    parts = textwrap.wrap(reason, width) or [""]
    return [{**(blank if place else head), "reason": part} for place, part in enumerate(parts)]


def text_table(lines: Sequence[dict[str, str]], columns: Sequence[Column], title: str) -> Any:
    """Lines of text below each other, as a panel of a page.

    Args:
        lines: For each line the text of each column, and its `colour`, which the column `state` has.
    """
    import altair as alt

    data = alt.Chart(alt.InlineData(values=[line | {"line": place} for place, line in enumerate(lines)]))
    y = alt.Y("line:O", axis=None, scale=alt.Scale(padding=0))
    colour = alt.Color("colour:N", scale=None, legend=None)
    layers = [
        data.mark_text(align="left", fontSize=11, fontWeight=weight, limit=WIDTH - x).encode(
            x=alt.value(x), y=y, text=f"{name}:N", color=colour if name == "state" else alt.value(DARK)
        )
        for name, x, weight in columns
    ]
    heading = chart_title(title, size=PANEL)
    return alt.layer(*layers).properties(width=WIDTH, height=_LINE * len(lines), title=heading)
