"""What every peer's application shares: the same graph, run the same way."""

import os

import numpy as np
import onnxruntime

INPUT = "vitok.numbers"


def session():
    """The graph that `MODEL` names, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])


def probabilities(opened, rows):
    """Probabilities of rows, (n, 2)."""
    return opened.run(["probabilities"], {INPUT: np.asarray(rows, dtype=np.float32)})[0]
