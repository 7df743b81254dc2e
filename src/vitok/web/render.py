"""Pages as text: the templates, in the reader's language, with what every page has."""

import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from vitok.loop.control import Visitor
from vitok.web.door import HEADERS
from vitok.web.language import LANGUAGES, Writing, catalogue, preferred
from vitok.web.navigation import NAVIGATION
from vitok.web.pictures import spoken

_HERE = Path(__file__).parent
LANGUAGE = "vitok_language"
SAID = "vitok_said"
_LONGEST_SAID = 2000


@cache
def environment(language: str) -> Environment:
    """The templates in a language."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_translations(catalogue(language), newstyle=True)  # type: ignore[attr-defined]
    data = partial(_data, translate=catalogue(language).gettext)
    made.filters.update(Writing(language).filters(), data=data)
    made.globals.update(language=language, languages=LANGUAGES, navigation=NAVIGATION)
    return made


def language_of(request: Request) -> str:
    """The language that whoever asks wants."""
    return preferred(request.cookies.get(LANGUAGE), request.headers.get("accept-language", ""))


def page(
    request: Request,
    template: str,
    *,
    visitor: Visitor | None,
    project: str,
    status: int = 200,
    content: Mapping[str, Any],
) -> Response:
    """A page for a browser.

    Args:
        visitor: Who reads; None for somebody who has not come in.
        project: Its name.
        content: What the template shows.
    """
    said = unquote(request.cookies.get(SAID, "")[:_LONGEST_SAID]) if status == 200 else ""
    text = (
        environment(language_of(request))
        .get_template(template)
        .render(
            visitor=visitor,
            project=project,
            path=request.url.path,
            query=request.url.query,
            said=said,
            **content,
        )
    )
    answer = HTMLResponse(text, status, headers={**HEADERS, "Vary": "Accept-Language, Cookie"})
    if said:
        answer.delete_cookie(SAID, httponly=True, samesite="strict")
    return answer


def _data(value: Any, translate: Callable[[str], str]) -> Markup:
    """A picture inside of a page, for its scripts: nothing in it can end the element that holds it."""
    text = json.dumps(spoken(value, translate), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))
