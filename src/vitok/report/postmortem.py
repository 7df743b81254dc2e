"""The draft of a post-mortem as Markdown: what happened, what it did, what is known of causes, what is to be done."""

import re
from collections.abc import Mapping
from typing import Any

_SPECIAL = re.compile(r"([\\`*_\[\]<>|])")


def post_mortem_markdown(found: Mapping[str, Any]) -> str:
    """The draft; what people have to add stands in brackets.

    Args:
        found: An incident with its time line, impact, causes and actions, as JSON values.
    """
    parts = [
        _head(found),
        _impact(found),
        _time_line(found),
        _causes(found),
        _actions(found),
        "## What went well, what did not\n\n(To be written by those who were there, about things and not people.)",
    ]
    return "\n\n".join(parts) + "\n"


def _head(found: Mapping[str, Any]) -> str:
    seconds = found["seconds_to"]
    rows = [
        ("State", found["state"]),
        ("Severity", found["severity"]),
        ("Kind", found["kind"]),
        ("Began", _time(found["began"])),
        ("Detected", f"{_time(found['detected'])}, after {_length(seconds['detect'])}"),
        ("Recovered", _recovered(found)),
        (
            "Closed",
            "not yet" if found["closed"] is None else f"{_time(found['closed'])} by {found['closed_by']}",
        ),
        ("Tied to", ", ".join(f"{each['kind']} {each['name']}" for each in found["links"]) or "-"),
    ]
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {_plain(value)} |" for name, value in rows)])
    title = f"# {_plain(found['project'])}, incident {found['number']}: {_plain(found['title'])}"
    return f"{title}\n\nDraft of {_time(found['made'])}.\n\n{table}"


def _recovered(found: Mapping[str, Any]) -> str:
    if found["recovered"] is None:
        return "not yet"
    return f"{_time(found['recovered'])}, {_length(found['seconds_to']['recover'])} after it was detected"


def _impact(found: Mapping[str, Any]) -> str:
    impact = found["impact"]
    by = ", ".join(f"{count} {action}" for action, count in impact["by_action"].items())
    lines = [
        f"- Rows answered meanwhile: {impact['rows']}{f' ({by})' if by else ''}",
        f"- Windows of watching that it reached into: {impact['windows']}",
    ]
    if impact["lost"] is None:
        lines.append("- Money: not known (no costs in the charter, or no labels yet)")
    else:
        lines.append(f"- Money against the accepted profit, on labelled rows: {-impact['lost']:+.0f}")
    return "\n".join(["## What it did", "", *lines])


def _time_line(found: Mapping[str, Any]) -> str:
    lines = [
        f"| {_time(note['time'])} | {note['kind']} | {_plain(note['actor'] or '-')} | {_plain(note['text'])} |"
        for note in found["time_line"]
    ]
    return "\n".join(
        ["## What happened", "", "| time | what | who | in words |", "|---|---|---|---|", *lines]
    )


def _causes(found: Mapping[str, Any]) -> str:
    lines = [
        "## Causes",
        "",
        _plain(found["conclusion"]) or "(Not concluded yet.)",
        "",
    ]
    if found["causes"]:
        lines += ["What the evidence says:", ""]
        for cause in found["causes"]:
            remedy = f" {_plain(cause['remedy'])}" if cause["remedy"] else ""
            lines.append(f"- {_plain(cause['what'])}{remedy}")
        lines.append("")
    lines += ["What had changed in the week before:", ""]
    lines += [f"- {_time(each['time'])}: {_plain(each['what'])}" for each in found["before"]] or [
        "- nothing known"
    ]
    return "\n".join(lines)


def _actions(found: Mapping[str, Any]) -> str:
    if not found["actions"]:
        number = found["number"]
        how = f'`vitok incidents action {number} --add "..." --owner NAME --due DATE`'
        return f"## What is to be done\n\n(None yet: {how})"
    lines = []
    for action in found["actions"]:
        mark = "x" if action["done"] else " "
        state = f"done {_time(action['done'])}" if action["done"] else f"due {action['due'][:10]}"
        state += ", overdue" if action["overdue"] else ""
        lines.append(
            f"- [{mark}] {action['number']}. {_plain(action['text'])} ({_plain(action['owner'])}, {state})"
        )
    return "\n".join(["## What is to be done", "", *lines])


def _plain(text: Any) -> str:
    """Words of others, that must not become links, tables or HTML."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def _time(text: str) -> str:
    return f"{text[:16].replace('T', ' ')} UTC"


def _length(seconds: float | None) -> str:
    if seconds is None:
        return "some time"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
