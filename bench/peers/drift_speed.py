"""Prints what the drift of all columns costs one engine, as JSON; runs in that engine's own environment.

CPU seconds of all threads of this process from the files to the verdicts, without the imports, and peak memory.
`drift_speed.py ENGINE FOLDER [CHUNKS]`; the folder is that of `drift_data.write`.
"""

import json
import os
import pickle
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

os.environ.update(NML_DISABLE_USAGE_LOGGING="1", DO_NOT_TRACK="1")
warnings.filterwarnings("ignore")
NUMERIC = [f"n{place:02d}" for place in range(20)]
CATEGORICAL = [f"c{place}" for place in range(5)]


def floor(files):
    """Reads the files and sums them."""
    import polars as pl

    def work():
        for file in files:
            pl.read_parquet(file).select(pl.col(NUMERIC).sum(), pl.col(CATEGORICAL).count())

    return "polars", work


def vitok(files, reference, chunks):
    """Profiles the files by prebuilt bins, then judges the last; of chunks, all that were read."""
    import polars as pl
    import scipy.special  # noqa: F401 - else imported by the first verdict, and imports do not count

    from vitok.charter.model import DriftRule
    from vitok.monitor.drift import drift_findings
    from vitok.stats.profiles import empty_profile, profile

    def work():
        found = empty_profile(reference.bins)
        for file in files:
            each = profile(pl.read_parquet(file), reference.bins)
            found = found + each if chunks else each
        findings = drift_findings(reference, found, DriftRule())
        return [finding.column for finding in findings if finding.moved]

    return "vitok", work


def scipy(files):
    """KS and chi-square tests of each column at .05."""
    import numpy as np
    import polars as pl
    from scipy import stats

    def work():
        then, now = (pl.read_parquet(file) for file in files)
        moved = []
        for name in NUMERIC:
            one, two = (each[name].drop_nulls().to_numpy() for each in (then, now))
            moved += [name] if stats.ks_2samp(one, two).pvalue < 0.05 else []
        for name in CATEGORICAL:
            both = (each[name].value_counts(name="n") for each in (then, now))
            table = next(both).join(next(both), on=name, how="full").select("n", "n_right").fill_null(0)
            moved += [name] if stats.chi2_contingency(np.asarray(table)).pvalue < 0.05 else []
        return moved

    return "scipy", work


def evidently(files):
    """The drift preset with its own choices."""
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    def work():
        columns = DataDefinition(numerical_columns=NUMERIC, categorical_columns=CATEGORICAL)
        then, now = (Dataset.from_pandas(pd.read_parquet(file), data_definition=columns) for file in files)
        moved = []
        for metric in Report([DataDriftPreset()]).run(now, then).dict()["metrics"]:
            rule = metric.get("config", {})
            if "column" in rule and "method" in rule:
                small = float(metric["value"]) < float(rule["threshold"])
                moved += [rule["column"]] if small == ("p_value" in rule["method"]) else []
        return moved

    return "evidently", work


def nannyml(files):
    """Univariate drift in ten chunks with its own choices; a column with any alert counts as moved."""
    import nannyml as nml
    import pandas as pd

    def work():
        then, now = (pd.read_parquet(file) for file in files)
        calculator = nml.UnivariateDriftCalculator(column_names=NUMERIC + CATEGORICAL)
        table = calculator.fit(then).calculate(now).filter(period="analysis").to_df()
        found = []
        for name in NUMERIC + CATEGORICAL:
            method = table[name].columns.get_level_values(0)[0]
            found += [name] if table[(name, method, "alert")].astype(bool).any() else []
        return found

    return "nannyml", work


def peak_mb():
    """Peak memory of this program; what `getrusage` says is at least that of the process which started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main():
    """Measures the engine that the first argument names."""
    engine, folder = sys.argv[1], Path(sys.argv[2])
    files = [folder / "reference.parquet", folder / "current.parquet"]
    if engine.startswith("vitok"):
        # Unpickled, not fitted here: a peak of memory would stay in the figure.
        reference = pickle.loads((folder / "reference.pickle").read_bytes())
        count = int(sys.argv[3]) if len(sys.argv) > 3 else 0
        known = sorted((folder / "chunks").glob("*.parquet"))
        some = [known[place % len(known)] for place in range(count)]
        package, work = vitok(some or files[-1 if engine.endswith("window") else 0 :], reference, count)
    elif engine.startswith("floor"):
        package, work = floor(files[-1 if engine.endswith("window") else 0 :])
    else:
        package, work = {"scipy": scipy, "evidently": evidently, "nannyml": nannyml}[engine](files)
    started = time.process_time()
    moved = work()
    cpu = time.process_time() - started
    print(json.dumps({"version": version(package), "cpu_s": cpu, "peak_rss_mb": peak_mb(), "moved": moved}))


if __name__ == "__main__":
    main()
