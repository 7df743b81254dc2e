"""The graph as a custom runtime of MLServer."""

import numpy as np
from common import probabilities, session
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Graph(MLModel):
    async def load(self) -> bool:
        self.graph = session()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32, copy=False)
        output = NumpyCodec.encode_output("probabilities", probabilities(self.graph, rows))
        return InferenceResponse(model_name=self.name, outputs=[output])
