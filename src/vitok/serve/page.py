"""The description of the data plane as a page for people: one file, no scripts, nothing from other hosts."""

import re
import shlex
from html import escape
from itertools import groupby
from typing import Any

import msgspec

from vitok.model.bundle import Field, Manifest
from vitok.model.schema import has_all_levels
from vitok.serve.http import Response
from vitok.serve.openapi import Operation, operations

HEADERS = (
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b;
  background: #fff; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ccc; }
pre { background: #f3f3f3; padding: .7rem; overflow-x: auto; }
@media (prefers-color-scheme: dark) {
  body { color: #e8e8e8; background: #161616; } pre { background: #262626; } a { color: #8ab4f8; }
}
"""


def docs_page(project: str, manifest: Manifest | None, host: bytes) -> Response:
    """The page.

    Args:
        host: The header `Host` of the request, for the examples.
    """
    if manifest is None:
        body = "<p>Nothing has been released yet: <code>vitok release VERSION</code>.</p>"
    else:
        base = (
            f"http://{host.decode()}"
            if re.fullmatch(rb"[\w.:\[\]-]{1,200}", host)
            else "http://localhost:8000"
        )
        found = operations(project, manifest)
        body = _inputs(manifest) + "".join(
            _group(name, list(members), base) for name, members in groupby(found, lambda one: one.group)
        )
    body = (
        '<p>The same for machines: <a href="/openapi.json">/openapi.json</a>. Refusals are\n'
        f'<code>{{"error": "..."}}</code> and name the place, the value and the remedy.</p>\n{body}'
    )
    content = page_of(f"Predictions of {project}", body)
    return Response(200, content.encode(), b"text/html; charset=utf-8", HEADERS)


def page_of(title: str, body: str, refresh: int | None = None) -> str:
    """A whole page.

    Args:
        body: HTML.
        refresh: After how many seconds it is asked for anew; None for never.
    """
    again = "" if refresh is None else f'\n<meta http-equiv="refresh" content="{refresh}">'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">{again}
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
"""


def _inputs(manifest: Manifest) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(field.name)}</code></td><td>{escape(_kind(field))}</td>"
        f"<td>{'may be missing' if field.nullable else 'required'}</td>"
        f"<td><code>{_text(field.example)}</code></td></tr>"
        for field in manifest.inputs
    )
    return (
        "<h2>What the model takes</h2>\n<table><thead><tr><th>input</th><th>type</th><th></th>"
        f"<th>of a training row</th></tr></thead><tbody>{rows}</tbody></table>\n"
    )


def _kind(field: Field) -> str:
    if field.levels:
        return f"{field.kind}: {', '.join(field.levels)}" + ("" if has_all_levels(field) else ", ...")
    return field.kind


def _group(name: str, members: list[Operation], base: str) -> str:
    rows = "".join(
        f"<tr><td>{one.method.upper()}</td><td><code>{escape(one.path)}</code></td>"
        f"<td>{escape(one.summary)}</td><td>{', '.join(('200', *one.failures))}</td></tr>"
        for one in members
    )
    examples = "".join(
        f"<pre><code>{escape(_curl(one, base))}</code></pre>\n"
        for one in members
        if one.example is not None and "{" not in one.path
    )
    return (
        f"<h2>{escape(name)}</h2>\n<table><thead><tr><th>method</th><th>address</th><th>what it answers</th>"
        f"<th>statuses</th></tr></thead><tbody>{rows}</tbody></table>\n{examples}"
    )


def _curl(operation: Operation, base: str) -> str:
    body = msgspec.json.encode(operation.example).decode()
    head = f"curl -s {shlex.quote(base + operation.path)} -H 'Content-Type: application/json'"
    return f"{head} \\\n  -d {shlex.quote(body)}"


def _text(value: Any) -> str:
    return "" if value is None else escape(msgspec.json.encode(value).decode())
