import json

import numpy as np
import pytest

from vitok.stats.error_model import ErrorModel, estimate_errors, fit_error_model
from vitok.stats.scores import Undecidable


def drawn(rng, rows, shift):
    """Errors that grow with the first column; heavy-tailed noise; a model that is a little off."""
    x = rng.normal(size=(rows, 4))
    x[:, 0] += shift
    middle = 2 * x[:, 0] + x[:, 1]
    truth = middle + np.sin(2 * x[:, 2]) / 2 + rng.standard_t(6, rows) * np.exp(0.4 * x[:, 0])
    return x, middle + 0.3, truth


def realised(predicted, truth):
    return {"mae": np.abs(truth - predicted).mean(), "rmse": np.sqrt(np.mean((truth - predicted) ** 2))}


def test_estimates_follow_the_realised_error_and_their_intervals_hold_it():
    rng, held, missed, carried = np.random.default_rng(0), [], [], []
    for seed in range(12):
        x, predicted, truth = drawn(rng, 4000, 0)
        model = fit_error_model(x, predicted, truth, seed=seed)
        then = realised(predicted, truth)
        for shift in (-0.5, 0.5):
            x, predicted, truth = drawn(rng, 1000, shift)
            now, found = realised(predicted, truth), estimate_errors(model, x, predicted)
            for name, value in now.items():
                held.append(found[name].low <= value <= found[name].high)
                missed.append(abs(found[name].value - value))
                carried.append(abs(then[name] - value))
    assert 0.78 < np.mean(held) < 0.98
    assert np.mean(missed) < 0.3 * np.mean(carried)


def test_model_survives_json_without_a_pickle_and_is_the_same_for_the_same_seed():
    data = drawn(np.random.default_rng(1), 1000, 0)
    one, two = (fit_error_model(*data, seed=3) for _ in range(2))
    text = json.dumps(one.to_json())
    assert text == json.dumps(two.to_json())
    assert len(text) < 500_000
    again = ErrorModel.from_json(json.loads(text))
    assert estimate_errors(again, *data[:2]) == estimate_errors(one, *data[:2])


def test_categories_and_missing_values_are_learned():
    rng = np.random.default_rng(2)
    group = rng.integers(0, 3, 4000).astype(float)
    x = np.c_[group, np.where(rng.random(4000) < 0.2, np.nan, 1.0)]
    predicted = rng.normal(size=4000)
    truth = predicted + rng.normal(size=4000) * np.array([1.0, 5.0, 2.0])[group.astype(int)]
    model = fit_error_model(x, predicted, truth, categorical=(0,))
    found = estimate_errors(model, x[group == 1], predicted[group == 1])
    assert found["rmse"].value == pytest.approx(5.0, rel=0.1)
    assert found["mae"].value == pytest.approx(5.0 * np.sqrt(2 / np.pi), rel=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, p, y: (x[:0], p[:0], y[:0]), "0 reference rows are too few, 500 are needed"),
        (lambda x, p, y: (x[:1], p[:1], y[:1]), "1 reference rows are too few"),
        (lambda x, p, y: (x, p * 0, y), "all 600 predictions are the same"),
        (lambda x, p, y: (x, p, p), "no error among 600"),
        (lambda x, p, y: (x, p, y * np.nan), "true values are missing"),
        (lambda x, p, y: (x, p * np.inf, y), "predictions are missing or infinite"),
        (lambda x, p, y: (x[:10], p, y), "another number of rows"),
    ],
)
def test_reference_that_teaches_no_error_says_why(change, message):
    x, predicted, truth = drawn(np.random.default_rng(0), 600, 0)
    with pytest.raises(Undecidable, match=message):
        fit_error_model(*change(x, predicted, truth))


def test_window_that_cannot_be_judged_says_why():
    x, predicted, truth = drawn(np.random.default_rng(0), 600, 0)
    model = fit_error_model(x, predicted, truth)
    with pytest.raises(Undecidable, match="1 rows are too few to estimate by, 30"):
        estimate_errors(model, x[:1], predicted[:1])
    with pytest.raises(Undecidable, match="3 features, the error model knows 4"):
        estimate_errors(model, x[:, :3], predicted)
