"""Runs and trials in MLflow: a journal for people; no decision reads it."""

import logging
import os
from datetime import datetime
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


class Tracker:
    """Writes a turn, its candidates and their trials to an MLflow tracking server or database.

    Args:
        url: Tracking URI, such as `sqlite:///mlflow.sqlite` or `https://mlflow.example.org`.
        experiment: Name of the experiment; the project's.
    """

    def __init__(self, url: str, experiment: str) -> None:
        from mlflow import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self._client = MlflowClient(tracking_uri=url)
        found = self._client.get_experiment_by_name(experiment)
        self._experiment = found.experiment_id if found else self._client.create_experiment(experiment)

    def known(self, turn: str) -> dict[str, str]:
        """The finished runs of a turn: their ids by name."""
        query = f"tags.`vitok.turn` = '{turn}' and attributes.status = 'FINISHED'"
        found = self._client.search_runs([self._experiment], query, max_results=10_000)
        return {run.info.run_name: run.info.run_id for run in found}

    def run(
        self,
        name: str,
        *,
        started: datetime,
        ended: datetime,
        parent: str | None,
        parameters: dict[str, Any],
        metrics: dict[str, float],
        tags: dict[str, str],
    ) -> str:
        """Writes one finished run in one batch.

        Returns:
            The run's id, to be the parent of others.
        """
        from mlflow.entities import Metric, Param, RunTag

        began, finished = int(started.timestamp() * 1000), int(ended.timestamp() * 1000)
        all_tags = {**tags, **({"mlflow.parentRunId": parent} if parent else {})}
        run = self._client.create_run(self._experiment, start_time=began, run_name=name)
        self._client.log_batch(
            run.info.run_id,
            metrics=[Metric(key, value, finished, 0) for key, value in metrics.items()],
            params=[Param(key, str(value)) for key, value in parameters.items()],
            tags=[RunTag(key, value) for key, value in all_tags.items()],
        )
        self._client.set_terminated(run.info.run_id, "FINISHED", finished)
        return str(run.info.run_id)
