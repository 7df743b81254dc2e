"""Images as numbers that profiles can count: how large they are, how bright, how coloured, how sharp.

An image is hardly ever the same twice. What moves when a camera is dirty, a scanner is set otherwise or files arrive
broken is what it looks like as a whole; what is on it a user's embedding tells, whose columns are numbers like others.
Images come as text in base64, alone or as a `data:` address.
"""

import base64
import binascii
import io
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
import polars as pl

from vitok.errors import UserMistake
from vitok.stats.scores import Floats

FIGURES = ("width", "height", "brightness", "contrast", "red", "green", "blue", "sharpness", "bytes")
# Whether it could be decoded: `true` or `false`, so that the first broken image is a level that was never seen.
DECODED = "decoded"
SUFFIXES = tuple(f":{name}" for name in (*FIGURES, DECODED))
_BEGINNINGS = (
    "iVBORw0KGgo",
    "/9j/",
    "R0lGOD",
    "UklGR",
    "SUkqA",
    "TU0AK",
)  # PNG, JPEG, GIF, WebP, TIFF both ways
_LOOKED_AT, _MOST_ODD = 100, 0.1
# More pixels are taken for an attack on memory: they count as not decoded.
MOST_PIXELS = 50_000_000
_LONGEST = 512  # pixels of the longer side at which it is looked at; sharpness depends on it
_GREY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
INSTALL = "Install it with `pip install 'vitok[images]'`."
# One grey pixel: what stands for an image where an example is wanted.
EXAMPLE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg=="


def is_image(column: pl.Series) -> bool:
    """Whether a column holds images: nearly all of its first values begin as files of images do, in base64."""
    values = column.drop_nulls().head(_LOOKED_AT)
    if values.dtype != pl.String or len(values) == 0:
        return False
    begins = [_content(text).startswith(_BEGINNINGS) for text in values.to_list()]
    return sum(begins) >= (1 - _MOST_ODD) * len(begins)


def require_images(column: pl.Series, place: str) -> None:
    """Checks a column that is said to hold images.

    Raises:
        UserMistake: the package for images is missing, or hardly any value is one.
    """
    _opener()
    if is_image(column):
        return
    shown = next(iter(column.drop_nulls().cast(pl.String, strict=False).head(1).to_list()), None)
    found = "is empty" if shown is None else f"holds no images, but such as {shown[:40]!r}"
    remedy = "Give PNG, JPEG, GIF, WebP or TIFF files as base64 or `data:` addresses, or take the column out."
    raise UserMistake(f"{place}: column {column.name}", found, remedy)


def can_decode() -> bool:
    """Whether the package for images is installed."""
    return find_spec("PIL") is not None


def summaries(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Figures of each image; null where it is missing, and but `decoded` where it cannot be decoded.

    Brightness, contrast (standard deviation) and colours are shares of white, of at most 512 pixels on the longer side;
    sharpness is the variance of the Laplacian of that (Pech-Pacheco et al., ICPR 2000).

    Args:
        names: Columns of images.

    Returns:
        Columns `NAME:width` to `NAME:bytes`, and `NAME:decoded` as text.

    Raises:
        UserMistake: the package for images is missing.
    """
    columns: dict[str, Any] = {}
    for name in names:
        opener = _opener()
        found = [None if text is None else _measured(text, opener) for text in frame[name].to_list()]
        for place, figure in enumerate(FIGURES):
            values = [None if each is None or each[place] is None else each[place] for each in found]
            columns[f"{name}:{figure}"] = pl.Series(values, dtype=pl.Float64)
        decoded = [None if each is None else "true" if each[0] is not None else "false" for each in found]
        columns[f"{name}:{DECODED}"] = pl.Series(decoded, dtype=pl.String)
    return pl.DataFrame(columns)


def summarised(columns: list[str]) -> list[str]:
    """The images whose figures are among some columns.

    >>> summarised(["photo:width", "photo:decoded", "note:length", "temp"])
    ['photo']
    """
    return sorted({name.rpartition(":")[0] for name in columns if name.endswith(f":{DECODED}")})


def _content(text: str) -> str:
    """The base64 of a value, without the head of a `data:` address."""
    return text.partition(",")[2] if text.startswith("data:") else text


def _opener() -> Any:
    try:
        from PIL import Image  # an extra that most projects do without
    except ImportError:
        raise UserMistake("images", "the package pillow is not installed", INSTALL) from None
    return Image.open


def _measured(text: str, opener: Any) -> tuple[float | None, ...]:
    """Figures of an image in the order of `FIGURES`; of one that cannot be decoded its size in bytes alone."""
    try:
        content = base64.b64decode(_content(text), validate=True)
    except (binascii.Error, ValueError):
        return (None,) * len(FIGURES)
    nothing = (*(None,) * (len(FIGURES) - 1), float(len(content)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a bomb of pixels is only warned of
            with opener(io.BytesIO(content)) as image:
                width, height = image.size
                if width * height > MOST_PIXELS:
                    return nothing
                image.draft("RGB", (_LONGEST, _LONGEST))
                small = image.convert("RGB")
                small.thumbnail((_LONGEST, _LONGEST))
                pixels = np.asarray(small, dtype=np.float64) / 255
    except Exception:  # whatever a decoder makes of broken bytes
        return nothing
    grey = pixels @ _GREY
    colours = pixels.mean(axis=(0, 1)).tolist()
    return (
        float(width),
        float(height),
        float(grey.mean()),
        float(grey.std()),
        *colours,
        _sharpness(grey),
        float(len(content)),
    )


def _sharpness(grey: Floats) -> float:
    """Variance of the Laplacian inside of the border; 0 where there is no inside."""
    if min(grey.shape) < 3:
        return 0.0
    inside = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * inside).var())
