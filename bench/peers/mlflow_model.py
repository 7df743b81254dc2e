"""Writes the graph as an MLflow model: `python mlflow_model.py FOLDER`."""

import sys
from pathlib import Path

import mlflow.pyfunc

CODE = """
import mlflow, numpy, os, sys
sys.path.insert(0, os.environ["PEERS"])
from common import probabilities, session
class Graph(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.graph = session()
    def predict(self, context, model_input, params=None):
        return probabilities(self.graph, numpy.asarray(model_input, dtype="float32")).tolist()
mlflow.models.set_model(Graph())
"""

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    script = folder.with_suffix(".py")
    script.write_text(CODE)
    mlflow.pyfunc.save_model(str(folder), python_model=str(script))
