"""What is trained answers as what is shipped: the packaged graph against the pipeline, on hard rows."""

import warnings

import numpy as np
import polars as pl
import pytest

from vitok.errors import Refused
from vitok.model.package import PARITY_LIMIT, convert
from vitok.train.candidates import CANDIDATES, build_candidate, default_parameters, round_thresholds
from vitok.train.fit import TrainingSet, fit_baselines, fit_candidate, predict_scores

KINDS = {"f0": "number", "f1": "number", "f2": "category", "f3": "boolean"}


def table(task, rows=600):
    """Numbers with gaps, two neighbours in float32, texts with a rare and a missing level."""
    rng = np.random.default_rng(7)
    base = np.float32(0.1)
    number = rng.normal(size=rows).astype(np.float32)
    number[::11] = np.nan
    near = np.where(rng.random(rows) < 0.5, base, np.nextafter(base, np.float32(1)))
    level = rng.choice(["a", "b", "", "é"], rows, p=[0.5, 0.3, 0.15, 0.05])
    flag = rng.integers(0, 2, rows).astype(np.float32)
    frame = pl.DataFrame({"f0": number, "f1": near.astype(np.float32), "f2": level, "f3": flag})
    signal = np.nan_to_num(number) + (near > base) + (level == "a") * 1.5 + rng.normal(0, 0.3, rows)
    if task == "regression":
        return frame, signal * 100
    cuts = [1.0] if task == "binary" else [0.5, 1.5]
    return frame, np.digitize(signal, cuts).astype(np.int64)


def training_set(task, *, neighbours=True):
    frame, truth = table(task)
    if not neighbours:
        frame = frame.with_columns(f1=(pl.col("f1") > np.float32(0.1)).cast(pl.Float32))
    return TrainingSet(
        task, frame[:500], truth[:500], frame[500:], truth[500:], ["f0", "f1", "f3"], ["f2"], seed=0
    )


METRIC = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


@pytest.mark.parametrize("name", CANDIDATES)
@pytest.mark.parametrize("task", METRIC)
def test_packaged_graph_answers_as_the_pipeline(task, name):
    rows = training_set(task, neighbours=name == "lightgbm")
    trained = fit_candidate(
        name,
        rows,
        metric=METRIC[task],
        sampler="tpe",
        trials=0,
        timeout_seconds=10,
        parameters=None,
        on_trial=lambda *_: None,
    )
    graph = convert(trained.pipeline, rows.validation, KINDS, task)
    assert graph.parity <= PARITY_LIMIT
    (baseline,) = fit_baselines(["prior"], rows)
    better = trained.validation > baseline.validation
    assert better == (METRIC[task] == "roc_auc")


def test_objective_of_several_classes_can_be_the_area_under_the_curve():
    options = {"sampler": "random", "trials": 1, "timeout_seconds": 10, "parameters": None}
    rows = training_set("multiclass", neighbours=False)
    trained = fit_candidate("linear", rows, metric="roc_auc", on_trial=lambda *_: None, **options)
    assert 0.7 < trained.validation <= 1


def test_linear_model_that_lives_on_the_last_bit_of_a_number_is_not_shipped():
    options = {"sampler": "tpe", "trials": 0, "timeout_seconds": 10, "parameters": None}
    rows = training_set("binary")
    trained = fit_candidate("linear", rows, metric="roc_auc", on_trial=lambda *_: None, **options)
    with pytest.raises(Refused, match="differs from the trained pipeline"):
        convert(trained.pipeline, rows.validation, KINDS, "binary")


def test_rounding_thresholds_changes_no_prediction():
    import lightgbm

    rng = np.random.default_rng(0)
    base = np.float32(0.3)
    near = np.nextafter(base, np.float32(1))
    x = np.where(rng.random((800, 3)) < 0.5, base, near).astype(np.float32)
    y = (x[:, 0] > base).astype(int) ^ (rng.random(800) < 0.1)
    model = lightgbm.LGBMClassifier(n_estimators=20, min_child_samples=5, verbose=-1, n_jobs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x, y)
        rows = np.vstack([x, rng.normal(size=(500, 3)).astype(np.float32)])
        before = model.predict_proba(rows)
        round_thresholds(model)
        np.testing.assert_array_equal(model.predict_proba(rows), before)
    text = model.booster_.model_to_string()
    cuts = [float(v) for line in text.split("\n") if line.startswith("threshold=") for v in line[10:].split()]
    assert cuts
    assert all(float(np.float32(cut)) == cut for cut in cuts)


def test_unfitted_candidate_takes_tables_without_texts_or_without_numbers():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    for frame, numbers, categories in (
        (pl.DataFrame({"f0": rng.normal(size=200).astype(np.float32)}), ["f0"], []),
        (pl.DataFrame({"f0": rng.choice(["a", "b"], 200)}), [], ["f0"]),
    ):
        for name in CANDIDATES:
            pipeline = build_candidate(
                name, "binary", numbers, categories, numbers, default_parameters(name), 0
            )
            if name == "lightgbm":
                pipeline.set_params(model__n_jobs=1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pipeline.fit(frame, truth)
            assert predict_scores(pipeline, frame, "binary").shape == (200,)
