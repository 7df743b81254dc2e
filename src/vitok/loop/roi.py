"""`vitok roi`: what the project is worth by its charter, and what its decisions earn by its costs."""

from typing import Any

from vitok.charter.model import Charter
from vitok.economics.cash import Case, appraise, spread
from vitok.errors import CharterMistake
from vitok.kernel.clock import format_duration, parse_duration
from vitok.loop.earnings import project_decisions
from vitok.loop.project import Project
from vitok.loop.waiting import value_of_waiting

CONVENTION = (
    "build paid at the start, benefits and running costs at the end of each year; payback undiscounted"
)

_SHORTEST = parse_duration("1d")


def project_roi(project: Project, *, waiting: bool = False) -> dict[str, Any]:
    """The object that `vitok roi --json` prints.

    Args:
        waiting: Whether to reckon the value of waiting for more rows too, which fits models.

    Raises:
        CharterMistake: the charter does not state costs and effect.
        UserMistake: the value of waiting cannot be told.
    """
    case = _case(project)
    result, range_ = appraise(case), spread(case, project.charter.train.seed)
    return {
        "years": [{"year": year, "net": net, "cumulative": total} for year, net, total in result.years],
        "payback_years": None if result.payback_years is None else round(result.payback_years, 2),
        "roi": None if result.roi is None else round(result.roi, 4),
        "npv": round(result.npv, 2),
        "irr": None if result.irr is None else round(result.irr, 4),
        "discount": case.discount,
        "convention": CONVENTION,
        "range": None
        if range_ is None
        else {
            "npv_low": round(range_.low, 2),
            "npv_high": round(range_.high, 2),
            "chance_of_loss": round(range_.loss, 4),
            "tornado": [
                {"figure": name, "npv_at_low": round(low, 2), "npv_at_high": round(high, 2)}
                for name, low, high in range_.tornado
            ],
        },
        "decisions": project_decisions(project),
        **({"waiting": value_of_waiting(project)} if waiting else {}),
    }


def _case(project: Project) -> Case:
    charter: Charter = project.charter
    economics = charter.economics
    if economics is None:
        example = (
            "economics: {build: 150000, yearly: 30000, horizon: 3y, benefit: {per: stop, value: 10000, ...}}"
        )
        raise CharterMistake(
            f"{project.document.name} economics", "is not stated", f"Add {example}; see docs/charter.md."
        )
    benefit = economics.benefit
    missing = [name for name in ("events_per_year", "prevented") if getattr(benefit, name) is None]
    if missing:
        where = project.document.place(("economics", "benefit"))
        raise CharterMistake(
            where, f"{' and '.join(missing)} not stated, so the effect is unknown", "Add them."
        )
    years = economics.horizon / parse_duration("1y")
    if economics.horizon < _SHORTEST:
        where = project.document.place(("economics", "horizon"))
        what = f"{format_duration(economics.horizon)} is too short to reckon with"
        raise CharterMistake(where, what, "Write at least 1d, such as 3y.")
    return Case(
        build=economics.build,
        yearly=economics.yearly,
        value=benefit.value,
        events=benefit.events_per_year or 0.0,
        prevented=benefit.prevented or 0.0,
        years=years,
        discount=economics.discount,
    )
