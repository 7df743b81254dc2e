"""`vitok users`: who logs in to the pages, and what each of the team may do."""

import getpass
import sys
from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.govern.people import local_user
from vitok.loop.users import add_user, change_password, list_users, remove_user
from vitok.wire import open_project

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The person, as in the charter's team.")]
_Stdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin; else it is asked for.")
]


def add(
    name: _Name, password_stdin: _Stdin = False, project: ProjectOption = HERE, as_json: JsonOption = False
) -> None:
    """Lets a person log in to the pages."""
    opened = open_project(project, say=say)
    payload = add_user(opened, name, _password(password_stdin), actor=local_user())
    show(as_json, payload, f"{name} can log in; roles: {', '.join(payload['roles']) or 'there is no team'}.")


def passwd(
    name: _Name, password_stdin: _Stdin = False, project: ProjectOption = HERE, as_json: JsonOption = False
) -> None:
    """Sets another password; open sessions end."""
    payload = change_password(
        open_project(project, say=say), name, _password(password_stdin), actor=local_user()
    )
    show(as_json, payload, f"{name} has another password; sessions that were open are over.")


def remove(name: _Name, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Lets a person in no more; open sessions end."""
    payload = remove_user(open_project(project, say=say), name, actor=local_user())
    show(as_json, payload, f"{name} cannot log in any more.")


def list_(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Lists who logs in, and what each of the team may do."""
    payload = list_users(open_project(project, say=say))
    rows = [
        [each["user"], "yes" if each["logs_in"] else "no", ", ".join(each["roles"]), ", ".join(each["may"])]
        for each in payload["users"]
    ]
    text = (
        table(rows, ["user", "logs in", "roles", "may"]) if rows else "Nobody logs in, and there is no team."
    )
    show(as_json, payload, text)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return getpass.getpass("Password: ")


def register(app: typer.Typer) -> None:
    """Adds the verb with its subjects."""
    users = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
    users.command("add", epilog="Example: vitok users add ada@example.org")(add)
    users.command("list", epilog="Example: vitok users list")(list_)
    users.command("remove", epilog="Example: vitok users remove ada@example.org")(remove)
    users.command("passwd", epilog="Example: vitok users passwd ada@example.org")(passwd)
    app.add_typer(
        users,
        name="users",
        help="Who logs in to the pages.",
        epilog="Example: vitok users add ada@example.org",
    )
