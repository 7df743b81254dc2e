"""Prints what NannyML estimates for each chunk without labels, as JSON; runs in NannyML's own environment."""

import json
import logging
import os
import sys
import time
import warnings
from importlib.metadata import version

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

import nannyml  # noqa: E402 - after its reporting of usage is switched off
import pandas as pd  # noqa: E402

pd.set_option("future.infer_string", False)  # DLE fails on the strings of pandas 3

LOADERS = {
    "census": nannyml.load_us_census_ma_employment_data,
    "car loan": nannyml.load_synthetic_car_loan_dataset,
}


def main() -> None:
    """Reads the question, data sets with their columns, from the first argument."""
    asked = json.loads(sys.argv[1])
    found = {}
    for name, columns in asked["data"].items():
        reference, analysis, _ = LOADERS[name]()
        started = time.process_time()
        estimator = nannyml.CBPE(
            y_pred=columns["decision"],
            y_pred_proba=columns["score"],
            y_true=columns["truth"],
            metrics=asked["metrics"],
            chunk_size=asked["chunk"],
            problem_type="classification_binary",
        )
        table = estimator.fit(reference).estimate(analysis).filter(period="analysis").to_df()
        values = {metric: table[(metric, "value")].tolist() for metric in asked["metrics"]}
        found[name] = {"values": values, "cpu_s": time.process_time() - started}
    found.update(
        {name: _regression(columns, asked["chunk"]) for name, columns in asked["regressions"].items()}
    )
    print(json.dumps({"version": version("nannyml"), "found": found}))


def _regression(columns: dict, chunk: int) -> dict:
    reference, analysis, _ = nannyml.load_synthetic_car_price_dataset()
    started = time.process_time()
    estimator = nannyml.DLE(
        feature_column_names=columns["features"],
        y_pred=columns["predicted"],
        y_true=columns["truth"],
        metrics=columns["metrics"],
        chunk_size=chunk,
    )
    table = estimator.fit(reference).estimate(analysis).filter(period="analysis").to_df()
    values = {metric: table[(metric, "value")].tolist() for metric in columns["metrics"]}
    return {"values": values, "cpu_s": time.process_time() - started}


if __name__ == "__main__":
    main()
