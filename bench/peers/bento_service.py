"""The graph as a BentoML service, without batching (which made it slower)."""

import bentoml
import numpy as np
from common import probabilities, session


@bentoml.service(workers=1, traffic={"timeout": 60, "concurrency": 256})
class Service:
    def __init__(self) -> None:
        self.graph = session()

    @bentoml.api
    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return probabilities(self.graph, inputs)
