"""Quality estimated without labels, beside NannyML, on the data that NannyML ships.

Two data sets in chunks of 5 000 rows: employment in Massachusetts by year (Census) and synthetic car loans. For
each chunk the metric is estimated from features and scores alone and compared with what the labels show. `vitok` is
the calibrated estimate, `vitok, for these rows` the second one that watching shows beside it (a calibration made for
each chunk, of chunks that the reference has rows like; `plain_there` is the calibrated one's error on the same chunks),
`vitok, reweighted` that calibration for all chunks and by all rows, `carried on` the reference's own figure.
NannyML runs in an environment of its own under `.bench/`. A regression is in
`estimates_regression.py`.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import estimates_regression as regression
import measure
import numpy as np
import polars as pl

from vitok.stats.density_ratio import density_ratio
from vitok.stats.estimates import Estimate, estimate
from vitok.stats.reweighting import KnownRows, window_calibration
from vitok.stats.scores import Scored, Undecidable
from vitok.stats.unlabelled import Answers, estimate_unlabelled, fit_calibration

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / ".bench" / "nannyml"
# NannyML imports statsmodels without asking for it.
REQUIREMENTS = ["nannyml==0.13.1", "statsmodels"]
METRICS = ["roc_auc", "f1", "accuracy"]
CHUNK = 5000
# NannyML 0.13.1's mean absolute errors, to the digits published with them.
BARS = {"census": (0.0040, 0.0066, 0.0051), "car loan": (0.0021, 0.0026, 0.0031)}


@dataclass(frozen=True)
class Source:
    """A data set: three files and the columns that matter; the other columns but the left-out ones are features."""

    files: tuple[str, str, str]
    truth: str
    decision: str
    score: str
    left_out: tuple[str, ...]

    def load(self, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The reference, and the later rows with their labels in their order."""
        reference, later, labels = (
            (pl.read_parquet if name.endswith("pq") else pl.read_csv)(folder / name) for name in self.files
        )
        return reference, later.join(labels, on="id", how="left", maintain_order="left")

    def scored(self, rows: pl.DataFrame) -> Scored:
        """The model's answers with their labels."""
        truth, decision = (rows[name].cast(pl.Int64).to_numpy() for name in (self.truth, self.decision))
        return Scored("binary", truth, rows[self.score].to_numpy(), decision)

    def features(
        self, reference: pl.DataFrame, later: pl.DataFrame
    ) -> tuple[np.ndarray, np.ndarray, list[int]]:
        """Features and score of both as numbers, and which columns are categories."""
        apart = {self.truth, self.decision, *self.left_out}
        columns, categorical = [], []
        for name in [name for name in reference.columns if name not in apart]:
            both = pl.concat([reference[name], later[name]]) if reference[name].dtype.is_numeric() else None
            if both is None:
                categorical.append(len(columns))
                both = pl.concat([each[name].cast(pl.String) for each in (reference, later)]).rank("dense")
            columns.append(both.cast(pl.Float64).to_numpy())
        table = np.column_stack(columns)
        return table[: len(reference)], table[len(reference) :], categorical


SOURCES = {
    "census": Source(
        ("employment_MA_reference.pq", "employment_MA_analysis.pq", "employment_MA_analysis_target.pq"),
        truth="employed",
        decision="prediction",
        score="predicted_probability",
        left_out=("id", "year"),
    ),
    "car loan": Source(
        (
            "synthetic_car_loan_reference.csv",
            "synthetic_car_loan_analysis.csv",
            "synthetic_car_loan_analysis_target.csv",
        ),
        truth="repaid",
        decision="y_pred",
        score="y_pred_proba",
        left_out=("id", "timestamp"),
    ),
}


def ask_nannyml() -> dict[str, Any]:
    """NannyML's estimates of each chunk; makes its environment if there is none."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
    if not list(ENVIRONMENT.glob("lib/*/site-packages/nannyml")):
        subprocess.run([python, "-m", "pip", "install", "-q", *REQUIREMENTS], check=True)
    columns = {
        name: {"truth": source.truth, "decision": source.decision, "score": source.score}
        for name, source in SOURCES.items()
    }
    regressions = {regression.DATA: {**regression.COLUMNS, "metrics": regression.METRICS}}
    question = json.dumps({"metrics": METRICS, "chunk": CHUNK, "data": columns, "regressions": regressions})
    script = ROOT / "bench" / "peers" / "nannyml_estimates.py"
    answer = subprocess.run([python, script, question], check=True, capture_output=True, text=True)
    return dict(json.loads(answer.stdout.splitlines()[-1]))


def _shipped() -> Path:
    """Where NannyML's data lie."""
    return next(ENVIRONMENT.glob("lib/*/site-packages/nannyml/datasets/data"))


def chunks(rows: int) -> list[slice]:
    """The rows of each chunk; a shorter last one counts too, as NannyML has it."""
    return [slice(start, min(start + CHUNK, rows)) for start in range(0, rows, CHUNK)]


def vitok_estimates(
    source: Source, reference: pl.DataFrame, later: pl.DataFrame, reweighted: bool
) -> list[list[Estimate]]:
    """One list of metrics for each chunk."""
    known = source.scored(reference)
    calibration = fit_calibration(known)
    then, now, categorical = source.features(reference, later) if reweighted else (None, None, [])
    found = []
    for number, place in enumerate(chunks(len(later))):
        scored = source.scored(later[place])
        if then is not None and now is not None:
            weights = density_ratio(then, now[place], categorical=tuple(categorical), seed=number)
            calibration = fit_calibration(known, weights)
        answers = Answers("binary", scored.scores, scored.decisions)
        found.append([estimate_unlabelled(metric, calibration, answers) for metric in METRICS])
    return found


def estimates_shown(
    source: Source, reference: pl.DataFrame, later: pl.DataFrame
) -> list[list[Estimate] | None]:
    """One list of metrics for each chunk, as watching shows them for its rows; None where it refuses."""
    then, now, categorical = source.features(reference, later)
    names = [
        name for name in reference.columns if name not in {source.truth, source.decision, *source.left_out}
    ]
    inputs = [place for place, name in enumerate(names) if name != source.score]  # it is added to them
    levels = tuple(inputs.index(place) for place in categorical)
    known = KnownRows(source.scored(reference), then[:, inputs], levels)
    found: list[list[Estimate] | None] = []
    for place in chunks(len(later)):
        scored = source.scored(later[place])
        try:
            calibration = window_calibration(known, scored.scores, now[place][:, inputs])
        except Undecidable:
            found.append(None)
            continue
        answers = Answers("binary", scored.scores, scored.decisions)
        found.append([estimate_unlabelled(metric, calibration, answers) for metric in METRICS])
    return found


def shown_rows(
    name: str, source: Source, reference: pl.DataFrame, later: pl.DataFrame, real: np.ndarray
) -> list[dict[str, Any]]:
    """The second estimate of watching, one row for each metric, beside the first one on the same chunks."""
    started = time.process_time()
    found = estimates_shown(source, reference, later)
    spent = time.process_time() - started
    plain = vitok_estimates(source, reference, later, reweighted=False)
    places = [place for place, each in enumerate(found) if each is not None]
    rows = []
    for column, metric in enumerate(METRICS):
        made = [each[column] for each in found if each is not None]
        truth = real[places, column]
        errors = np.array([each.value for each in made]) - truth
        there = np.array([plain[place][column].value for place in places]) - truth
        held = [each.low <= value <= each.high for each, value in zip(made, truth, strict=True)]
        rows.append(
            {
                "engine": "vitok, for these rows",
                "data": name,
                "metric": metric,
                "chunks": len(made),
                "mean_absolute_error": round(float(np.abs(errors).mean()), 5),
                "bias": round(float(errors.mean()), 5),
                "realised_in_90_percent_interval": round(float(np.mean(held)), 2),
                "cpu_s": round(spent, 1),
                "refused": len(found) - len(made),
                "plain_there": round(float(np.abs(there).mean()), 5),
            }
        )
    return rows


def measured(name: str, source: Source, peer: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each engine and metric of a data set."""
    folder = _shipped()
    reference, later = source.load(folder)
    scored = [source.scored(later[place]) for place in chunks(len(later))]
    real = np.array([[estimate(metric, each).value for metric in METRICS] for each in scored])
    carried = np.array([estimate(metric, source.scored(reference)).value for metric in METRICS])
    engines: dict[str, tuple[np.ndarray, float | None, np.ndarray | None]] = {
        "carried on": (np.tile(carried, (len(real), 1)), None, None),
        "nannyml": (np.array([peer["values"][metric] for metric in METRICS]).T, peer["cpu_s"], None),
    }
    for engine, reweighted in (("vitok", False), ("vitok, reweighted", True)):
        started = time.process_time()
        found = vitok_estimates(source, reference, later, reweighted)
        spent = time.process_time() - started
        held = [
            [each.low <= value <= each.high for each, value in zip(row, values, strict=True)]
            for row, values in zip(found, real, strict=True)
        ]
        engines[engine] = (np.array([[each.value for each in row] for row in found]), spent, np.array(held))
    shown = shown_rows(name, source, reference, later, real)
    return shown + [
        {
            "engine": engine,
            "data": name,
            "metric": metric,
            "chunks": len(real),
            "mean_absolute_error": round(float(np.abs(values - real)[:, column].mean()), 5),
            "bias": round(float((values - real)[:, column].mean()), 5),
            "realised_in_90_percent_interval": None
            if held is None
            else round(float(held[:, column].mean()), 2),
            "cpu_s": None if spent is None else round(spent, 1),
        }
        for engine, (values, spent, held) in engines.items()
        for column, metric in enumerate(METRICS)
    ]


def run() -> None:
    """Measures, prints and writes the figures."""
    peer = ask_nannyml()
    table, targets = [], []
    for name, source in SOURCES.items():
        rows = measured(name, source, peer["found"][name])
        table += rows
        for metric, bar in zip(METRICS, BARS[name], strict=True):
            mine = next(row for row in rows if row["engine"] == "vitok" and row["metric"] == metric)
            value = round(mine["mean_absolute_error"], 4)
            targets.append(measure.target(f"{name}: mean absolute error of {metric}", value, bar))
    rows = regression.measured(_shipped(), peer["found"][regression.DATA], chunks(60_000))
    table += rows
    for metric in regression.METRICS:
        mine, theirs = (
            next(row for row in rows if row["engine"] == engine and row["metric"] == metric)[
                "mean_absolute_error"
            ]
            for engine in ("vitok", "nannyml")
        )
        targets.append(measure.target(f"{regression.DATA}: mean absolute error of {metric}", mine, theirs))
    for row in table:
        row["version"] = peer["version"] if row["engine"] == "nannyml" else None
    fine = (
        "mean_absolute_error",
        "bias",
        "plain_there",
        "realised_in_90_percent_interval",
    )  # one decimal would not show them
    shown = [
        {name: str(value) if value and name in fine else value for name, value in row.items()}
        for row in table
    ]
    measure.print_table(shown)
    measure.write("estimates", table, targets, packages=("vitok", "numpy", "polars", "scikit-learn"))


if __name__ == "__main__":
    run()
