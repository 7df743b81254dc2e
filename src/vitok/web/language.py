"""The languages of the pages: which one a reader wants, its catalogue, and how it writes dates and numbers."""

import gettext
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

LANGUAGES = {"en": "English", "uk": "Українська", "ru": "Русский"}
FOLDER = Path(__file__).parent / "locale"
DOMAIN = "vitok"
_FIGURES = 4  # significant digits of a figure
_NONE = "–"


def preferred(asked: str | None, accepted: str) -> str:
    """The language for a reader.

    Args:
        asked: What they chose; anything else than a language of ours counts as nothing.
        accepted: The header `Accept-Language`.

    >>> preferred(None, "fr, uk;q=0.8, en;q=0.9"), preferred("ru", "uk"), preferred("x", "de")
    ('en', 'ru', 'en')
    """
    if asked in LANGUAGES:
        return asked
    weighed = []
    for place, part in enumerate(accepted[:500].split(",")):
        name, _, weight = part.replace(" ", "").partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        weighed.append((-quality, place, name[:2].lower()))
    return next((name for _, _, name in sorted(weighed) if name in LANGUAGES), "en")


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The texts in a language; what is asked in English is its own text."""
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, FOLDER, [language])


@dataclass(frozen=True)
class Writing:
    """How a language writes figures and moments.

    Args:
        language: One of `LANGUAGES`.
    """

    language: str

    @cached_property
    def _locale(self) -> Locale:
        return Locale.parse(self.language)

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of templates; each writes a dash for what is not there."""
        written = (
            self.when,
            self.day,
            self.figure,
            self.count,
            self.money,
            self.share,
            self.span,
            self.interval,
        )
        return {each.__name__: each for each in written}

    def when(self, moment: str | datetime | None) -> str:
        """Day and minute in UTC."""
        if not moment:
            return _NONE
        return format_datetime(_moment(moment), "d MMM y, HH:mm", locale=self._locale)

    def day(self, moment: str | datetime | None) -> str:
        """The day."""
        return _NONE if not moment else format_date(_moment(moment), "d MMM y", locale=self._locale)

    def figure(self, value: float | None, digits: int = _FIGURES) -> str:
        """A number with so many significant digits, whole parts in full."""
        if value is None or value != value:
            return _NONE
        if isinstance(value, int) or abs(value) >= 10**digits:
            return self.count(value)
        text = f"{value:.{digits}g}"
        places = len(text.partition(".")[2]) if "e" not in text else 0
        if "e" in text:
            return text
        return str(format_decimal(value, f"#,##0.{'0' * places}" if places else "#,##0", locale=self._locale))

    def count(self, value: float | None) -> str:
        """A whole number with groups of thousands."""
        return _NONE if value is None else str(format_decimal(round(value), locale=self._locale))

    def money(self, value: float | None) -> str:
        """Money in whole units of the charter's currency."""
        return self.count(value)

    def share(self, value: float | None) -> str:
        """A share as per cent, with as many digits as tell it from nothing and from all."""
        if value is None:
            return _NONE
        near = min(abs(value), abs(1 - value))
        pattern = "#,##0.##%" if 0 < near < 0.01 else "#,##0.#%" if near < 0.1 else "#,##0%"
        return str(format_percent(value, pattern, locale=self._locale))

    def span(self, seconds: float | None) -> str:
        """A length of time in its largest unit."""
        if seconds is None:
            return _NONE
        if seconds < 1:
            milliseconds = float(f"{seconds * 1000:.3g}")
            return str(format_unit(milliseconds, "duration-millisecond", "short", locale=self._locale))
        return str(format_timedelta(timedelta(seconds=seconds), locale=self._locale, threshold=1.2))

    def interval(self, found: dict[str, Any] | None, kind: str = "figure") -> str:
        """A value with its interval: `value [low, high]`."""
        if not found or found.get("value") is None:
            return _NONE
        write = getattr(self, kind)
        if found.get("low") is None or found.get("high") is None:
            return str(write(found["value"]))
        return f"{write(found['value'])} [{write(found['low'])}; {write(found['high'])}]"


def _moment(moment: str | datetime) -> datetime:
    return datetime.fromisoformat(moment) if isinstance(moment, str) else moment


def marked(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text
