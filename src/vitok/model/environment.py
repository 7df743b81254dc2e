"""The libraries that a version is made with, and whether they are the same now."""

import importlib.metadata
import platform
from collections.abc import Mapping

_PYTHON = "python"
_PACKAGES = ("lightgbm", "numpy", "onnx", "onnxmltools", "onnxruntime", "polars", "scikit-learn", "skl2onnx")


def environment() -> dict[str, str]:
    """The version of Python, and of each library that has a part in a bundle."""
    return {
        _PYTHON: platform.python_version(),
        **{name: found for name in _PACKAGES if (found := installed(name)) is not None},
    }


def installed(package: str) -> str | None:
    """The version of a package, None if it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def changed_libraries(made: Mapping[str, str]) -> dict[str, tuple[str, str | None]]:
    """The libraries that are not as they were: their version then, and now.

    Args:
        made: The environment of a manifest. Another Python changes no answer of a graph, and is left out.
    """
    present = {name: installed(name) for name in made if name != _PYTHON}
    return {name: (made[name], now) for name, now in present.items() if now != made[name]}
