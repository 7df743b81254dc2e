"""Six shapes of value over effort, fitted by least squares and weighed by AICc.

Effort e and value are scaled to [0, 1] first, so that nothing depends on their units. Each shape is
v(e) = start + rise * basis(e; theta) with rise >= 0: linear in start and rise, so that only theta is searched, on a
grid from which scipy's least squares goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from vitok.stats.scores import Floats, Undecidable

FEWEST_POINTS = 5
RESOLUTION = 0.002  # of the range of values: smaller misfits do not tell one shape from another


@dataclass(frozen=True, slots=True)
class Shape:
    """A family of curves.

    Args:
        name: As reports write it.
        meaning: In a few words.
        basis: From efforts (n,) and theta to values (n,).
        grid: From the efforts to the thetas to start from, shape (g, p).
        bounds: Lower and upper bound of each theta; none where only the grid is searched (a jump has no slope).
        parameters: Of the curve, `start` and `rise` included.
    """

    name: str
    meaning: str
    basis: Callable[[Floats, Floats], Floats]
    grid: Callable[[Floats], Floats]
    bounds: tuple[tuple[float, ...], tuple[float, ...]] | None
    parameters: int


def _grid(*axes: Floats) -> Callable[[Floats], Floats]:
    points = np.array(list(product(*axes)))
    return lambda effort: points


def _jumps(effort: Floats) -> Floats:
    """Between every two neighbouring efforts the value can have jumped."""
    known = np.unique(effort)
    return np.asarray((known[1:] + known[:-1])[:, None] / 2)


def _sigmoid(effort: Floats, theta: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(theta[0] * (effort - theta[1]), -60, 60))))


def _ramp(effort: Floats, theta: Floats) -> Floats:
    return np.asarray(np.clip((effort - theta[0]) / theta[1], 0, 1))


SHAPES: dict[str, Shape] = {
    shape.name: shape
    for shape in (
        Shape("linear", "a steady gain", lambda e, theta: e, _grid(np.array([0.0])), None, 2),
        Shape(
            "exponential decay",
            "a fast start that saturates",
            lambda e, theta: np.asarray(1 - np.exp(-theta[0] * e)),
            _grid(np.geomspace(1.0, 60.0, 40)),
            ((1.0,), (60.0,)),
            3,
        ),
        Shape(
            "sigmoid",
            "a slow start, a gain, a plateau",
            _sigmoid,
            _grid(np.geomspace(6.0, 60.0, 12), np.linspace(0.1, 1.0, 37)),
            ((6.0, 0.1), (60.0, 1.0)),
            4,
        ),
        Shape(
            "step",
            "one jump, level before and after",
            lambda e, theta: (e >= theta[0]).astype(np.float64),
            _jumps,
            None,
            3,
        ),
        Shape(
            "U",
            "a setback before the gain",
            lambda e, theta: np.asarray((e - theta[0]) ** 2),
            _grid(np.linspace(0.15, 0.95, 33)),
            ((0.15,), (0.95,)),
            3,
        ),
        Shape(
            "delayed step",
            "nothing for long, then a gain to a plateau",
            _ramp,
            _grid(np.linspace(0.2, 0.95, 31), np.linspace(0.05, 1.0, 20)),
            ((0.2, 0.05), (0.95, 1.0)),
            4,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Fit:
    """A shape fitted to points, in their own units.

    Args:
        shape: Its name.
        theta: Its parameters on the scale of effort from 0 to the last point.
        start, rise: Value at basis zero, and how much the basis adds.
        span: Effort of the last point.
        rss: Sum of squared residuals.
        aicc: None where the points are too few for the shape.
        weight: Akaike weight among the shapes; 0 where `aicc` is None.
    """

    shape: str
    theta: tuple[float, ...]
    start: float
    rise: float
    span: float
    rss: float
    aicc: float | None
    weight: float = 0.0

    def at(self, effort: Floats) -> Floats:
        """Value at efforts, in the points' units."""
        basis = SHAPES[self.shape].basis(np.asarray(effort) / self.span, np.array(self.theta))
        return np.asarray(self.start + self.rise * basis)


def aicc(rss: float, points: int, parameters: int) -> float | None:
    """Akaike's criterion for least squares with the small-sample term (Hurvich and Tsai, Biometrika 76, 1989).

    n ln(RSS / n) + 2 k + 2 k (k + 1) / (n - k - 1); k counts the variance besides the curve's parameters.

    Returns:
        None where n - k - 1 is not positive: the points cannot tell so many parameters.

    >>> round(aicc(0.5, 10, 2), 3), aicc(0.5, 5, 3)
    (-19.957, None)
    """
    k = parameters + 1
    if points - k - 1 <= 0:
        return None
    return points * float(np.log(rss / points)) + 2 * k + 2 * k * (k + 1) / (points - k - 1)


def fit_shapes(effort: Floats, value: Floats) -> list[Fit]:
    """Fits every shape, the most likely first.

    Args:
        effort: Shape (n,): not negative, rising, the last above zero.
        value: Shape (n,): higher is better.

    Raises:
        Undecidable: fewer than five points, or all at one effort.
    """
    if len(effort) < FEWEST_POINTS:
        raise Undecidable(f"only {len(effort)} of the {FEWEST_POINTS} points that a curve needs")
    if effort.max() <= effort.min():
        raise Undecidable("all points are at one effort")
    fits = [_fit_one(shape, effort, value) for shape in SHAPES.values()]
    return weighed(fits)


def weighed(fits: list[Fit]) -> list[Fit]:
    """The fits with their Akaike weights (Burnham and Anderson, 2002, eq. 2.9), the most likely first."""
    known = [fit for fit in fits if fit.aicc is not None]
    least = min(fit.aicc for fit in known if fit.aicc is not None)
    likelihood = [0.0 if fit.aicc is None else float(np.exp(-(fit.aicc - least) / 2)) for fit in fits]
    total = sum(likelihood)
    found = [replace(fit, weight=part / total) for fit, part in zip(fits, likelihood, strict=True)]
    return sorted(found, key=lambda fit: -fit.weight)


def _scaled(value: Floats) -> tuple[Floats, float, float]:
    low, width = float(value.min()), float(value.max() - value.min())
    return (value - low) / (width or 1.0), low, width or 1.0


def _fit_one(shape: Shape, effort: Floats, value: Floats) -> Fit:
    span = float(effort[-1])
    e = effort / span
    v, low, width = _scaled(value)
    thetas = shape.grid(e)
    theta = thetas[int(np.argmin([_project(shape.basis(e, theta), v)[2] for theta in thetas]))]
    if shape.bounds is not None:
        theta = _refined(shape, e, v, theta)
    start, rise, rss = _project(shape.basis(e, theta), v)
    floored = max(rss, len(v) * RESOLUTION**2)
    criterion = aicc(floored, len(v), shape.parameters)
    return Fit(
        shape.name,
        tuple(float(t) for t in theta),
        low + width * start,
        width * rise,
        span,
        rss * width**2,
        criterion,
    )


def _project(basis: Floats, v: Floats) -> tuple[float, float, float]:
    """Best start and rise >= 0 for a basis, and the squared error."""
    centred = basis - basis.mean()
    norm = float(centred @ centred)
    rise = max(0.0, float(centred @ v) / norm) if norm > 1e-12 else 0.0
    start = float(v.mean() - rise * basis.mean())
    return start, rise, float(np.sum((v - start - rise * basis) ** 2))


def _refined(shape: Shape, e: Floats, v: Floats, theta: Floats) -> Floats:
    from scipy.optimize import least_squares

    def residuals(candidate: Floats) -> Floats:
        basis = shape.basis(e, candidate)
        start, rise, _ = _project(basis, v)
        return np.asarray(v - start - rise * basis)

    assert shape.bounds is not None
    found = least_squares(residuals, theta, bounds=shape.bounds, max_nfev=60)
    return np.asarray(found.x if found.cost * 2 <= np.sum(residuals(theta) ** 2) else theta)


def refits(fits: list[Fit], effort: Floats, value: Floats, *, count: int = 200, seed: int = 0) -> list[Fit]:
    """The most likely shape of each residual bootstrap (Efron, Annals of Statistics 7, 1979, section 7).

    Residuals are centred and widened by sqrt(n / (n - parameters)); each refit searches the grids of all shapes, and
    the parameters that fitted the points themselves.

    Args:
        fits: All shapes; the samples are drawn around the first.
        count: Number of refits.
        seed: Of the draws.
    """
    n, rng = len(value), np.random.default_rng(seed)
    fitted = fits[0].at(effort)
    free = n - SHAPES[fits[0].shape].parameters
    residuals = (value - fitted - np.mean(value - fitted)) * np.sqrt(n / free)
    drawn = fitted + rng.choice(residuals, size=(count, n))
    return _most_likely(fits, effort, drawn)


def _most_likely(fits: list[Fit], effort: Floats, drawn: Floats) -> list[Fit]:
    """For each row of values, shape (r, n), the shape and parameters with the least AICc."""
    span, n = float(effort[-1]), len(effort)
    e = effort / span
    low, width = drawn.min(axis=1), np.where(np.ptp(drawn, axis=1) > 0, np.ptp(drawn, axis=1), 1.0)
    v = (drawn - low[:, None]) / width[:, None]
    options = [
        (shape, theta)
        for shape in SHAPES.values()
        if aicc(1.0, n, shape.parameters) is not None
        for theta in (*shape.grid(e), *(np.array(fit.theta) for fit in fits if fit.shape == shape.name))
    ]
    basis = np.stack([shape.basis(e, theta) for shape, theta in options])
    centred = basis - basis.mean(axis=1, keepdims=True)
    norm = np.square(centred).sum(axis=1)
    cross = v @ centred.T
    rise = np.maximum(0.0, np.divide(cross, norm, out=np.zeros_like(cross), where=norm > 1e-12))
    rss = (
        np.square(v - v.mean(axis=1, keepdims=True)).sum(axis=1)[:, None] - 2 * rise * cross + rise**2 * norm
    )
    penalty = np.array([aicc(n, n, shape.parameters) for shape, _ in options], dtype=np.float64)
    criterion = n * np.log(np.maximum(rss, n * RESOLUTION**2) / n) + penalty
    found = []
    for row, place in enumerate(np.argmin(criterion, axis=1)):
        shape, theta = options[place]
        factor = float(rise[row, place])
        start = low[row] + width[row] * (v[row].mean() - factor * basis[place].mean())
        found.append(
            Fit(
                shape=shape.name,
                theta=tuple(float(t) for t in theta),
                start=float(start),
                rise=float(width[row] * factor),
                span=span,
                rss=float(rss[row, place] * width[row] ** 2),
                aicc=float(criterion[row, place]),
                weight=1.0,
            )
        )
    return found
