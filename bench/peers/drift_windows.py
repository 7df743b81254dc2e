"""Prints which columns a peer alerts on in each window, as JSON; runs in the peer's own environment.

`drift_windows.py ENGINE FOLDER` reads `reference.parquet`, `windows.parquet` (all windows of the same size, one behind
another) and `question.json` with the names of the columns and the size of a window.
"""

import json
import os
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

os.environ.update(NML_DISABLE_USAGE_LOGGING="1", DO_NOT_TRACK="1")
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402 - after reporting of usage is switched off
import pandas as pd  # noqa: E402


def evidently(then, now, asked):
    """The drift preset of each window: flagged columns, and `(dataset)` when it calls the whole drifted."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    columns = DataDefinition(numerical_columns=asked["numeric"], categorical_columns=asked["categorical"])
    names = asked["numeric"] + asked["categorical"]
    before = Dataset.from_pandas(then[names], data_definition=columns)
    found = []
    for start in range(0, len(now), asked["size"]):
        window = Dataset.from_pandas(
            now[names].iloc[start : start + asked["size"]].reset_index(drop=True), data_definition=columns
        )
        moved = []
        try:
            metrics = Report([DataDriftPreset()]).run(window, before).dict()["metrics"]
        except Exception as error:
            found.append([f"(error) {type(error).__name__}: {error}"[:120]])
            continue
        for metric in metrics:
            rule, value = metric.get("config", {}), metric["value"]
            if "column" in rule and "method" in rule:
                small = float(value) < float(rule["threshold"])
                moved += [rule["column"]] if small == ("p_value" in rule["method"]) else []
            elif "drift_share" in rule:
                moved += ["(dataset)"] if value["share"] >= rule["drift_share"] else []
        found.append(moved)
    return found


def nannyml(then, now, asked):
    """Univariate drift with the peer's thresholds, and realised AUC where there are labels."""
    import nannyml as nml

    names = asked["numeric"] + asked["categorical"]
    windows = [[] for _ in range(-(-len(now) // asked["size"]))]
    for name in names:  # one by one: a column that it cannot do must not hide the others
        try:
            calculator = nml.UnivariateDriftCalculator(column_names=[name], chunk_size=asked["size"])
            table = calculator.fit(then[[name]]).calculate(now[[name]]).filter(period="analysis").to_df()
        except Exception as error:
            windows[0].append(f"(error) {name}: {type(error).__name__}: {error}"[:120])
            continue
        method = table[name].columns.get_level_values(0)[0]
        for place, alert in enumerate(table[(name, method, "alert")].astype(bool)):
            windows[place] += [name] if alert else []
    if asked.get("label"):
        calculator = nml.PerformanceCalculator(
            metrics=["roc_auc"],
            y_true=asked["label"],
            y_pred="decision",
            y_pred_proba=asked["score"],
            problem_type="classification_binary",
            chunk_size=asked["size"],
        )
        both = [frame.assign(decision=(frame[asked["score"]] >= 0.5).astype(int)) for frame in (then, now)]
        table = calculator.fit(both[0]).calculate(both[1]).filter(period="analysis").to_df()
        for place, alert in enumerate(table[("roc_auc", "alert")].astype(bool)):
            windows[place] += ["(quality)"] if alert else []
    return windows


def main():
    """Asks the engine that the first argument names."""
    engine, folder = sys.argv[1], Path(sys.argv[2])
    then, now = (pd.read_parquet(folder / f"{name}.parquet") for name in ("reference", "windows"))
    asked = json.loads((folder / "question.json").read_text())
    for name in asked["categorical"]:
        then[name], now[name] = (frame[name].astype(object).replace({None: np.nan}) for frame in (then, now))
    started = time.process_time()
    windows = {"evidently": evidently, "nannyml": nannyml}[engine](then, now, asked)
    cpu = time.process_time() - started
    print(json.dumps({"version": version(engine), "cpu_s": cpu, "windows": windows}))


if __name__ == "__main__":
    main()
