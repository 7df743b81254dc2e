"""`vitok keys`: who may ask the server."""

from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.govern.people import local_user
from vitok.kernel.clock import parse_duration
from vitok.loop.keys import add_key, list_keys, revoke_key
from vitok.release.keys import SCOPES
from vitok.wire import open_project

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")]


def add(
    name: _Name,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What it may ask, of {', '.join(SCOPES)}; repeat for more. Default: predict, outcomes."
        ),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="How long it lives, such as 90d. Default: for ever.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Requests a second. Default: no limit.")] = None,
    quota: Annotated[int | None, typer.Option(help="Requests a day. Default: no limit.")] = None,
    person: Annotated[
        str | None,
        typer.Option("--for", metavar="PERSON", help="For whom it acts, within the person's roles."),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Makes a key and tells it, this once. With the first key the server is open to keys only."""
    opened = open_project(project, say=say)
    payload = add_key(
        opened,
        name,
        scopes=scope or ["predict", "outcomes"],
        expires=None if expires is None else parse_duration(expires, "--expires"),
        rate=rate,
        quota=quota,
        person=person,
        actor=local_user(),
    )
    until = f", until {payload['expires'][:16]}" if payload["expires"] else ""
    text = f"{payload['key']}\nKey {name!r} for {', '.join(payload['scopes'])}{until}. It is not shown again: keep it."
    show(as_json, payload, text)


def list_(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Lists the keys; what is kept of them is a hash."""
    payload = list_keys(open_project(project, say=say))
    rows = [
        [
            key["name"],
            ", ".join(key["scopes"]),
            key["created"][:16],
            (key["expires"] or "never")[:16],
            key["rate"],
            key["quota"],
            key["person"],
        ]
        for key in payload["keys"]
    ]
    header = ["name", "scopes", "created", "expires", "rate/s", "quota/day", "person"]
    show(
        as_json,
        payload,
        table(rows, header) if rows else "There are no keys: the server answers loopback addresses only.",
    )


def revoke(name: _Name, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Takes a key's force; workers obey within two seconds."""
    payload = revoke_key(open_project(project, say=say), name, actor=local_user())
    show(as_json, payload, f"Key {name!r} opens nothing any more.")


def register(app: typer.Typer) -> None:
    """Adds the verb with its subjects."""
    keys = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
    keys.command("add", epilog="Example: vitok keys add shop --scope predict --rate 50 --expires 90d")(add)
    keys.command("list", epilog="Example: vitok keys list")(list_)
    keys.command("revoke", epilog="Example: vitok keys revoke shop")(revoke)
    app.add_typer(
        keys, name="keys", help="Who may ask the server.", epilog="Example: vitok keys add shop --rate 50"
    )
