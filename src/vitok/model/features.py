"""From rows as they come to the columns that the graph takes; one definition for training and serving."""

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from vitok.errors import UserMistake

if TYPE_CHECKING:
    import polars as pl

FeatureFunction = Callable[["pl.DataFrame"], "pl.DataFrame"]


def load_feature_function(source: str, name: str, place: str) -> FeatureFunction:
    """Executes the user's feature module and wraps its function with checks.

    Args:
        source: Python text; it travels inside the bundle.
        name: The function.
        place: Where it stands, for messages.

    Raises:
        UserMistake: the text does not run or has no such function; later, from the function returned: it raises,
            returns no frame, or changes the number of rows.
    """
    module = ModuleType("vitok_features")
    try:
        exec(compile(source, place, "exec"), module.__dict__)  # noqa: S102 - the user's own code, verified by digest
    except (Exception, SystemExit) as error:
        raise UserMistake(
            place, f"does not run: {type(error).__name__}: {error}", "Mend the file."
        ) from error
    function: Any = getattr(module, name, None)
    if not callable(function):
        raise UserMistake(
            place, f"has no function {name!r}", "Correct the charter's `features`, or add the function."
        )

    def checked(frame: "pl.DataFrame") -> "pl.DataFrame":
        import polars as pl

        try:
            result = function(frame)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # Polars panics outside of the ordinary exceptions
            raise UserMistake(
                f"{place}:{name}",
                f"fails: {type(error).__name__}: {error}",
                "Mend the feature function; it must cope with missing values.",
            ) from error
        if not isinstance(result, pl.DataFrame) or result.height != frame.height:
            got = f"{result.height} rows" if isinstance(result, pl.DataFrame) else type(result).__name__
            raise UserMistake(
                f"{place}:{name}",
                f"gives {got} for {frame.height} rows",
                "Return a Polars DataFrame with the same rows in the same order.",
            )
        return result

    return checked


def slots(kinds: dict[str, str]) -> dict[str, str]:
    """Names that pipelines are fitted with, by feature: converters change names that are no plain identifiers."""
    return {name: f"f{position}" for position, name in enumerate(kinds)}


def encode(frame: "pl.DataFrame", kinds: dict[str, str]) -> "pl.DataFrame":
    """The columns that a pipeline takes, under the names of their slots: float32 with NaN, text with "".

    Args:
        frame: Rows after the feature function.
        kinds: Kind of each feature, in the graph's order.
    """
    import polars as pl

    names = slots(kinds)
    return frame.select(
        (
            pl.col(name).cast(pl.String).fill_null("")
            if kind == "category"
            else pl.col(name).cast(pl.Float32, strict=False).fill_null(float("nan"))
        ).alias(names[name])
        for name, kind in kinds.items()
    )
