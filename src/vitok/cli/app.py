"""The `vitok` command: finds the verb, imports only its module, maps errors to exit codes."""

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

import vitok
from vitok.cli.output import interrupted, report
from vitok.errors import UserMistake

VERBS = {
    "init": "init",
    "check": "check",
    "run": "run",
    "turns": "turns",
    "models": "models",
    "card": "card",
    "approvals": "approvals",
    "approve": "approvals",
    "reject": "approvals",
    "release": "release",
    "rollback": "rollback",
    "releases": "releases",
    "ab": "ab",
    "up": "up",
    "pages": "pages",
    "serve": "serve",
    "keys": "keys",
    "users": "users",
    "predict": "predict",
    "outcomes": "outcomes",
    "watch": "watch",
    "drift": "drift",
    "performance": "performance",
    "importance": "importance",
    "concept": "concept",
    "blind-spots": "blind_spots",
    "alerts": "alerts",
    "incidents": "incidents",
    "audit": "audit",
    "operations": "operations",
    "reviews": "reviews",
    "events": "events",
    "replay": "replay",
    "roi": "roi",
    "earned": "earned",
    "effort": "effort",
    "log": "log",
    "maturity": "maturity",
    "status": "status",
    "report": "report",
    "doctor": "doctor",
    "backup": "backup",
    "restore": "backup",
    "export": "export",
    "plan": "plan",
    "risks": "risks",
    "charter": "charter",
    "demo": "demo",
}


def build(verbs: list[str]) -> typer.Typer:
    """The application with some verbs, or all of them for the overview."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )
    app.callback()(_root)
    for module in dict.fromkeys(VERBS[verb] for verb in verbs):
        importlib.import_module(f"vitok.cli.{module}").register(app)
    groups = [group.typer_instance for group in app.registered_groups]
    for command in (command for each in (app, *groups) if each for command in each.registered_commands):
        command.callback = command.callback and _interruptible(command.callback)
    return app


def _interruptible(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turns Ctrl-C into a mistake of our tree, before the framework makes its own words of it."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except BaseException as error:
            if _is_interrupt(error):
                raise interrupted() from error
            raise

    return wrapped


def _is_interrupt(error: BaseException) -> bool:
    """Whether it is Ctrl-C, also where Polars noticed it first and panics."""
    is_panic = type(error).__name__ == "PanicException"
    return isinstance(error, KeyboardInterrupt) or (is_panic and "KeyboardInterrupt" in str(error))


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """The whole production life of a model as one closed loop."""
    if version:
        typer.echo(f"vitok {vitok.__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stdout.write(f"vitok {vitok.__version__}\n")
        return
    verb = next((word for word in arguments if not word.startswith("-")), None)
    try:
        app = build([verb] if verb in VERBS and "--help" not in arguments[:1] else list(VERBS))
        code = app(prog_name="vitok", standalone_mode=False)
    except SystemExit:
        raise
    except BaseException as error:
        code = _tell(error, "--json" in arguments)
    sys.exit(code)


def _tell(error: BaseException, as_json: bool) -> int:
    """Tells an error; a command line that cannot be parsed is a mistake like any other, in one line.

    The parser's errors are known by their method: where their classes live differs between versions of Typer.
    """
    if type(error).__name__ == "Abort":  # Ctrl-C or Ctrl-D at a question
        error = interrupted()
    elif hasattr(error, "format_message"):
        message = error.format_message().rstrip(".")
        context = getattr(error, "ctx", None)
        if not message:  # a group without a verb: its help has been shown
            return 2
        command = context.command_path if context is not None else "vitok"
        error = UserMistake("command line", f"{message[0].lower()}{message[1:]}", f"See `{command} --help`.")
    return report(error, as_json)
