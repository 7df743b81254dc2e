"""The graph as a Ray Serve deployment of one replica: `python ray_app.py PORT`."""

import os
import sys
import time

import numpy as np
import ray
from ray import serve
from starlette.requests import Request

surroundings = {"env_vars": {name: os.environ[name] for name in ("PYTHONPATH", "MODEL")}}
ray.init(num_cpus=2, include_dashboard=False, runtime_env=surroundings, logging_level="WARNING")
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})


@serve.deployment(num_replicas=1, max_ongoing_requests=128)
class Graph:
    def __init__(self) -> None:
        from common import session

        self.graph = session()

    async def __call__(self, request: Request) -> dict[str, list[list[float]]]:
        from common import probabilities

        rows = np.asarray((await request.json())["inputs"], dtype=np.float32)
        return {"probabilities": probabilities(self.graph, rows).tolist()}


serve.run(Graph.options(logging_config={"enable_access_log": False}).bind(), route_prefix="/predict")
while True:
    time.sleep(3600)
