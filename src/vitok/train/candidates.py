"""Candidates and baselines by name: scikit-learn pipelines that the packaging room can turn into one graph."""

from typing import Any

from vitok.stats.catalogue import TaskKind

_LINEAR = ("linear", "logistic")
CANDIDATES = (*_LINEAR, "lightgbm")
TUNABLE = ("roc_auc", "log_loss", "brier", "pr_auc", "mae", "r2", "rmse")
LINEAR_ROWS = 200_000  # more rows do not change a linear model of a few hundred columns, but its time


def default_parameters(name: str) -> dict[str, Any]:
    """The parameters that a candidate has before any search."""
    if name in _LINEAR:
        return {"strength": 1.0}
    return {
        "learning_rate": 0.05,
        "num_leaves": 31,
        "min_child_samples": 50,
        "colsample_bytree": 0.8,
        "reg_lambda": 1.0,
    }


def suggest_parameters(name: str, trial: Any) -> dict[str, Any]:
    """Draws parameters from an Optuna trial."""
    if name in _LINEAR:
        return {"strength": trial.suggest_float("strength", 1e-4, 1e3, log=True)}
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 7, 127, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 10, 300, log=True),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 30.0, log=True),
    }


def build_candidate(
    name: str,
    task: TaskKind,
    numbers: list[str],
    categories: list[str],
    complete: list[str],
    parameters: dict[str, Any],
    seed: int,
    threads: int = 1,
) -> Any:
    """An unfitted pipeline of preprocessing and model.

    Args:
        name: `linear`, `logistic` (the same, for classes only) or `lightgbm`.
        numbers: Columns of float32 with NaN for missing.
        categories: Columns of text with "" for missing.
        complete: Those of the numbers that no training row misses.
        threads: Of LightGBM; more than one only pays for large tables.
        parameters: As `default_parameters` names them; `n_estimators` besides, for LightGBM.
    """
    from sklearn.pipeline import Pipeline

    if name in _LINEAR:
        steps = [
            ("prepare", _prepare_linear(numbers, categories)),
            ("model", _linear(task, parameters, seed)),
        ]
    else:
        prepare = _prepare_trees(task, numbers, categories, complete, seed)
        model = _lightgbm(task, parameters, seed, threads)
        steps = [("prepare", prepare), ("single", _to_single()), ("model", model)]
    return Pipeline(steps)


def build_baseline(name: str, task: TaskKind, numbers: list[str], categories: list[str], seed: int) -> Any:
    """An unfitted baseline: `prior` knows no feature, `rule` is a tree of depth three."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if name == "prior":
        return DummyRegressor() if task == "regression" else DummyClassifier(strategy="prior")
    tree = DecisionTreeRegressor if task == "regression" else DecisionTreeClassifier
    model = tree(max_depth=3, min_samples_leaf=20, random_state=seed)
    return Pipeline([("prepare", _prepare_trees(task, numbers, categories, [], seed)), ("model", model)])


def _prepare_linear(numbers: list[str], categories: list[str]) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    scaled = Pipeline([("impute", impute), ("scale", StandardScaler())])
    parts = [("numbers", scaled, numbers), ("categories", OneHotEncoder(handle_unknown="ignore"), categories)]
    return ColumnTransformer([part for part in parts if part[2]])


def _prepare_trees(
    task: TaskKind, numbers: list[str], categories: list[str], complete: list[str], seed: int
) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.model_selection import KFold, StratifiedKFold
    from sklearn.preprocessing import OrdinalEncoder, TargetEncoder

    # With many classes a target encoding has a column for each of them: codes keep the model small.
    if task == "multiclass":
        encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    else:
        kind, folds = ("binary", StratifiedKFold) if task == "binary" else ("continuous", KFold)
        encode = TargetEncoder(target_type=kind, cv=folds(5, shuffle=True, random_state=seed))
    # LightGBM reads a gap as 0 in a column that had none in training, the graph sends it down a default branch:
    # filling such columns makes both the same, and changes no training row.
    gappy = [name for name in numbers if name not in complete]
    fill = SimpleImputer(strategy="median")
    parts = [
        ("complete", fill, complete),
        ("numbers", "passthrough", gappy),
        ("categories", encode, categories),
    ]
    return ColumnTransformer([part for part in parts if part[2]])


def _to_single() -> Any:
    """A cast to float32, the precision that the graph has: trees are grown on what they will see."""
    import numpy as np
    from skl2onnx.sklapi import CastTransformer

    return CastTransformer(dtype=np.float32)


def round_thresholds(model: Any) -> None:
    """Moves each threshold of a fitted LightGBM model down to the next float32.

    For float32 inputs `x <= t` and `x <= floor32(t)` are the same, so no prediction changes; but a graph stores
    thresholds as float32 rounded to nearest, and one that is rounded up sends a neighbouring value the other way.
    """
    import lightgbm
    import numpy as np

    def floor32(text: str) -> str:
        exact = float(text)
        single = np.float32(exact)
        if float(single) > exact:
            single = np.nextafter(single, np.float32(-np.inf))
        return repr(float(single))

    lines = []
    for line in model.booster_.model_to_string().split("\n"):
        if line.startswith("threshold="):
            line = "threshold=" + " ".join(
                floor32(value) for value in line.removeprefix("threshold=").split()
            )
        if not line.startswith("tree_sizes="):  # byte lengths of the trees, which have changed
            lines.append(line)
    model._Booster = lightgbm.Booster(model_str="\n".join(lines))


def _linear(task: TaskKind, parameters: dict[str, Any], seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    if task == "regression":
        return Ridge(alpha=1 / parameters["strength"])
    return LogisticRegression(C=parameters["strength"], max_iter=500, random_state=seed)


def _lightgbm(task: TaskKind, parameters: dict[str, Any], seed: int, threads: int) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    model = LGBMRegressor if task == "regression" else LGBMClassifier
    return model(
        **{"n_estimators": 600, **parameters},
        subsample=0.9,
        subsample_freq=1,
        random_state=seed,
        deterministic=True,
        force_row_wise=True,
        n_jobs=threads,
        verbose=-1,
    )
