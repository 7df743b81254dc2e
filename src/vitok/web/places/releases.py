"""Releases: what is in force, how it came there, and bringing versions into production or taking them back."""

from vitok.loop.project import Project
from vitok.loop.released import STRATEGIES, promote_as_asked, release_as_asked, release_desk, rollout_page
from vitok.loop.rollback import roll_back_beside
from vitok.loop.rollout_by_hand import pause_rollout, resume_rollout
from vitok.report.page_charts_releases import evidence_chart, shares_chart
from vitok.web.language import marked as _
from vitok.web.naming import number_of
from vitok.web.place import Ask, Deed, Place, Values

_REASON = Ask(needed=True, help="Why, for the record.")

PLACES = (
    Place(
        "/releases",
        "releases.html",
        lambda project, asked: release_desk(project),
        "The plan in force with its shares, all plans and all roll-outs, and what can be released.",
    ),
    Place(
        "/releases/{number}",
        "rollout.html",
        lambda project, asked: rollout_page(project, number_of(asked, "roll-out")),
        "One roll-out: its shares, its evidence against the boundary, and every step with what was known.",
        charts={
            "shares": lambda found: shares_chart(
                found["shares"], found["until"], f"version {found['version']}", f"version {found['champion']}"
            ),
            "evidence": lambda found: evidence_chart(found["path"], found["started"], found["until"]),
        },
    ),
)


def _release(project: Project, who: str, values: Values) -> Values:
    how = {"strategy": values["strategy"], "flag": values["flag"]}
    return release_as_asked(project, values["version"], **how, actor=who)


def _take_back(project: Project, who: str, values: Values) -> Values:
    return roll_back_beside(project, actor=who, reason=values["reason"], away=values["version"])


def _pause(project: Project, who: str, values: Values) -> Values:
    return pause_rollout(project, actor=who, reason=values["reason"]).as_json()


def _resume(project: Project, who: str, values: Values) -> Values:
    return resume_rollout(project, actor=who, reason=values["reason"]).as_json()


def _promote(project: Project, who: str, values: Values) -> Values:
    return promote_as_asked(project, actor=who, reason=values["reason"])


DEEDS = (
    Deed(
        "/releases/pause",
        _pause,
        "Holds the roll-out that goes on at its share.",
        act="release",
        then="/releases",
        said=_("It stays at its share until somebody lets it go on."),
        asks={"reason": _REASON},
    ),
    Deed(
        "/releases/resume",
        _resume,
        "Lets a paused roll-out go on.",
        act="release",
        then="/releases",
        said=_("It goes on."),
        asks={"reason": _REASON},
    ),
    Deed(
        "/releases/promote",
        _promote,
        "Gives the version that is rolled out all traffic, if harm is excluded.",
        act="release",
        then="/releases",
        said=_("It answers everything now."),
        asks={"reason": _REASON},
    ),
    Deed(
        "/releases",
        _release,
        "Brings an accepted version into production.",
        act="release",
        then="/releases",
        said=_("The release has begun."),
        asks={
            "version": Ask(int, needed=True, help="Number of an accepted version."),
            "strategy": Ask(choices=STRATEGIES, help="How. Default: the charter's."),
            "flag": Ask(help="The segment, with the strategy flag."),
        },
    ),
    Deed(
        "/releases/rollback",
        _take_back,
        "Ends the roll-out of a version, or goes back from it to the version before.",
        act="release",
        then="/releases",
        said=_("It is taken back: the version before answers."),
        asks={
            "reason": _REASON,
            "version": Ask(
                int, help="That is to answer no longer. Default: the one rolled out, else the champion."
            ),
        },
    ),
)
