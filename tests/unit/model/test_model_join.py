import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from vitok.model.join import join_numbers
from vitok.model.runtime import NUMBERS, joined_numbers


def graph(nodes, *, text=False):
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in "abc"]
    if text:
        inputs.append(helper.make_tensor_value_info("t", TensorProto.STRING, [None, 1]))
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, None])]
    made = helper.make_graph(nodes, "g", inputs, outputs)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def run(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session, session.run(["y"], feeds)[0]


X = np.array([[1.0, 20.0, 300.0], [2.0, np.nan, 400.0]], dtype=np.float32)


def columns():
    return {name: X[:, [place]] for place, name in enumerate("abc")}


@pytest.mark.parametrize(
    ("nodes", "left"),
    [
        (
            [
                helper.make_node("Concat", ["c", "a", "b"], ["x"], axis=1),
                helper.make_node("Neg", ["x"], ["y"]),
            ],
            ["Neg"],
        ),
        (
            [helper.make_node("Add", ["a", "b"], ["s"]), helper.make_node("Mul", ["s", "c"], ["y"])],
            ["Split", "Add", "Mul"],
        ),
        (
            [helper.make_node("Concat", ["a", "b", "c"], ["y"], axis=1)],
            ["Split", "Concat"],
        ),
    ],
)
def test_joined_graph_gives_the_same_answers(nodes, left):
    _, expected = run(graph(nodes), columns())
    model = graph(nodes)
    join_numbers(model, ["a", "b", "c"])
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == left
    session = onnxruntime.InferenceSession(model.SerializeToString())
    order = joined_numbers(session)
    assert sorted(order) == ["a", "b", "c"]
    matrix = X[:, ["abc".index(name) for name in order]]
    np.testing.assert_array_equal(session.run(["y"], {NUMBERS: matrix})[0], expected)


def test_single_number_and_texts_keep_working():
    nodes = [helper.make_node("Neg", ["a"], ["y"]), helper.make_node("Identity", ["t"], ["u"])]
    model = graph(nodes, text=True)
    del model.graph.input[1:3]
    join_numbers(model, ["a", "b", "c"])
    session, found = run(model, {NUMBERS: X[:, [0]], "t": np.array([["u"], ["v"]], dtype=object)})
    np.testing.assert_array_equal(found, -X[:, [0]])
    assert {node.name for node in session.get_inputs()} == {NUMBERS, "t"}


def test_graph_without_numbers_stays_as_it_is():
    model = graph([helper.make_node("Neg", ["a"], ["y"])])
    before = model.SerializeToString()
    join_numbers(model, ["other"])
    assert model.SerializeToString() == before
