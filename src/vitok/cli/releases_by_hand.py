"""`vitok releases pause`, `resume` and `promote`: what people do with a roll-out that goes on."""

from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.cli.release import describe
from vitok.govern.people import local_user
from vitok.loop.released import promote_as_asked
from vitok.loop.rollout_by_hand import pause_rollout, resume_rollout
from vitok.wire import open_project

_Reason = Annotated[str, typer.Option(help="Why, for the record.")]


def pause(reason: _Reason, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Holds the roll-out that goes on at its share: no further one and no promotion; limits and the end of its time
    still take it back."""
    found = pause_rollout(open_project(project, say=say), actor=local_user(), reason=reason).as_json()
    show(as_json, found, describe(found))


def resume(reason: _Reason, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Lets a paused roll-out go on; its time at this share begins anew."""
    found = resume_rollout(open_project(project, say=say), actor=local_user(), reason=reason).as_json()
    show(as_json, found, describe(found))


def promote(reason: _Reason, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Gives the version that is rolled out all traffic before its last share. Exit code 3 unless harm above every
    limit is excluded: a reason is no evidence."""
    found = promote_as_asked(open_project(project, say=say), actor=local_user(), reason=reason)
    show(as_json, found, describe(found))


def register(group: typer.Typer) -> None:
    """Adds the verbs to those of releases."""
    group.command(epilog='Example: vitok releases pause --reason "the airline changes its timetable"')(pause)
    group.command(epilog='Example: vitok releases resume --reason "the timetable is in"')(resume)
    group.command(epilog='Example: vitok releases promote --reason "agreed with the owner"')(promote)
