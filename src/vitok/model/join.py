"""One input for all numbers of a graph: handing over thirty tensors costs four times as much as running the trees."""

import json
from typing import Any

from vitok.model.runtime import NUMBERS


def join_numbers(model: Any, numbers: list[str]) -> None:
    """Replaces the numeric inputs of a converted graph by one matrix; their order is kept in its metadata.

    Args:
        model: The ONNX model, changed in place.
        numbers: Names of its float inputs of shape (n, 1); a converter may have dropped some without effect.
    """
    graph = model.graph
    used = [value.name for value in graph.input if value.name in set(numbers)]
    if not used:
        return
    concat = _concat_of(graph, used)
    order = used if concat is None else list(concat.input)
    if concat is None:
        _split(graph, order)
    else:
        graph.node.remove(concat)
        for node in graph.node:
            node.input[:] = [NUMBERS if name == concat.output[0] else name for name in node.input]
    others = [value for value in graph.input if value.name not in set(used)]
    del graph.input[:]
    graph.input.extend([_matrix(len(order)), *others])
    entry = model.metadata_props.add()
    entry.key, entry.value = NUMBERS, json.dumps(order)


def _concat_of(graph: Any, used: list[str]) -> Any:
    """The node that does nothing but put all numbers side by side, None if there is none."""
    outputs = {value.name for value in graph.output}
    readers = [node for node in graph.node if set(node.input) & set(used)]
    if len(readers) != 1 or readers[0].op_type != "Concat" or readers[0].output[0] in outputs:
        return None
    inputs = list(readers[0].input)
    axis = next(attribute.i for attribute in readers[0].attribute if attribute.name == "axis")
    return readers[0] if axis == 1 and sorted(inputs) == sorted(used) else None


def _split(graph: Any, order: list[str]) -> None:
    """Cuts the matrix into the columns that the graph knows."""
    from onnx import helper

    if len(order) == 1:
        graph.node.insert(0, helper.make_node("Identity", [NUMBERS], order))
    else:
        graph.node.insert(0, helper.make_node("Split", [NUMBERS], order, axis=1, num_outputs=len(order)))


def _matrix(columns: int) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(NUMBERS, TensorProto.FLOAT, [None, columns])
