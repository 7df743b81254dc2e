"""Replay: choose policies, run them over the past, compare them."""

from vitok.loop.history import compared_policies
from vitok.loop.project import Project
from vitok.loop.replays import end_replay, list_replays, show_replay, start_replay
from vitok.report.page_charts import policies_chart
from vitok.web.language import marked as _
from vitok.web.place import Ask, Deed, Place, Values


def _read(project: Project, asked: Values) -> Values:
    return {**list_replays(project), "last": compared_policies(project)}


def _start(project: Project, who: str, values: Values) -> Values:
    how = {"start": values["from"], "end": values["to"], "inject": values["inject"]}
    return start_replay(project, values["policies"], actor=who, **how)


PLACES = (
    Place(
        "/replay", "replays.html", _read, "Replays that were started here, and the last advice on policies."
    ),
    Place(
        "/replay/{name}",
        "replay.html",
        lambda project, asked: show_replay(project, asked["name"]),
        "One replay: how far it is, or the policies beside each other.",
        charts={"policies": lambda found: policies_chart(found["result"])},
    ),
)
DEEDS = (
    Deed(
        "/replay",
        _start,
        "Starts a replay of policies over the past.",
        act="train",
        then="/replay",
        said=_("The replay has started."),
        asks={
            "policies": Ask(needed=True, help="One policy on each line, such as never or monthly."),
            "from": Ask(help="ISO 8601; where the champion's data ends if left out."),
            "to": Ask(help="ISO 8601; the end of the data if left out."),
            "inject": Ask(help="Faults, one on each line, such as missing(temp)@2013-06-01."),
        },
        status=202,
    ),
    Deed(
        "/replay/{name}/end",
        lambda project, who, values: end_replay(project, values["name"], actor=who),
        "Ends a replay that is running.",
        act="train",
        then="/replay/{name}",
        said=_("The replay is ended."),
    ),
)
