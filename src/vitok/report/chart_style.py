"""The common looks of charts.

Colours are Okabe and Ito's, which readers with any colour vision tell apart; kinds differ by shape or dash as well.
"""

import textwrap
from collections.abc import Sequence
from typing import Any

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
DARK = "#333333"
SERIES = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#000000", RED)
DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3])
WIDTH, HEIGHT = 640, 300
WRAP = 105  # characters that fit above a chart of that width


def chart_title(text: str, below: str = "", size: int = 14) -> Any:
    """The title of a chart, with what it says below."""
    import altair as alt

    return alt.TitleParams(
        text=text,
        subtitle=textwrap.wrap(below, WRAP) if below else [],
        anchor="start",
        frame="group",
        fontSize=size,
        subtitleFontSize=11,
        subtitleColor=DARK,
        offset=10,
    )


def series_encodings(names: Sequence[str], legend: Any) -> dict[str, Any]:
    """Colour and dash of each name of the column `name`, in one legend."""
    import altair as alt

    colours = [SERIES[place % len(SERIES)] for place in range(len(names))]
    dashes = [DASHES[place % len(DASHES)] for place in range(len(names))]
    domain = list(names)
    return {
        "color": alt.Color("name:N", scale=alt.Scale(domain=domain, range=colours), legend=legend),
        "strokeDash": alt.StrokeDash("name:N", scale=alt.Scale(domain=domain, range=dashes), legend=legend),
    }


def finished(chart: Any) -> dict[str, Any]:
    """The specification with the common looks."""
    looks = chart.configure(background="white", padding=16).configure_view(stroke=None)
    looks = looks.configure_axis(labelFontSize=11, titleFontSize=12, gridColor="#e5e5e5", titlePadding=8)
    found: dict[str, Any] = looks.configure_legend(labelFontSize=11, titleFontSize=11).to_dict()
    return found
