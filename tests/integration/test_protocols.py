"""Every door of the data plane by its stock client, against a running server; and what bad requests get."""

import gzip
import importlib
import importlib.util
import json
import struct
import subprocess
import sys
import time
import zlib

import httpx
import numpy as np
import pytest

from examples import FLIGHT, cancer_bundle, flight_bundle, write_plan
from serving import running
from vitok.errors import UserMistake
from vitok.serve.grpc_messages import MESSAGES
from vitok.stats.conformal import Intervals
from vitok.store.blobs import Blobs

pytestmark = [
    pytest.mark.xdist_group("serving"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
SCORES = [0.70056713, 0.79412961]
TENSORS = [
    ("temp", "FP32", np.array([[4.5], [-3.0]], dtype=np.float32)),
    ("distance", "INT64", np.array([[800], [100]])),
    ("carrier", "BYTES", np.array([["UA"], ["ZZ"]], dtype=object)),
    ("holiday", "BOOL", np.array([[False], [True]])),
]
INFER = "/v2/models/flights/infer"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flights")
    table = Intervals(0.9, (0.75,), (0.55, 0.71), (0.78, 0.86))
    write_plan(folder / ".vitok", flight_bundle(Blobs(folder / ".vitok" / "blobs"), intervals=table))
    with running(folder, grpc=True) as found:
        yield found


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """A server with 30 numbers, and the rows and scores of the scikit-learn model behind it."""
    folder = tmp_path_factory.mktemp("cancer")
    digest, frame, pipe = cancer_bundle(Blobs(folder / ".vitok" / "blobs"))
    write_plan(folder / ".vitok", digest, project="cancer")
    with running(folder, grpc=True) as found:
        yield found, frame, pipe.predict_proba(frame)[:, 1]


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url) as found:
        yield found


@pytest.fixture
def triton(server):
    from tritonclient import http

    with http.InferenceServerClient(f"127.0.0.1:{server.port}") as found:
        yield found


@pytest.fixture
def triton_grpc(server):
    from tritonclient import grpc

    with grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as found:
        yield found


def http_inputs(binary=True):
    from tritonclient import http

    found = []
    for name, datatype, array in TENSORS:
        found.append(http.InferInput(name, list(array.shape), datatype))
        found[-1].set_data_from_numpy(array, binary_data=binary)
    return found


def grpc_inputs():
    from tritonclient import grpc

    found = []
    for name, datatype, array in TENSORS:
        found.append(grpc.InferInput(name, list(array.shape), datatype))
        found[-1].set_data_from_numpy(array)
    return found


# The Open Inference Protocol over HTTP


def test_stock_client_reads_health_and_metadata(triton):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("flights")
    assert triton.is_model_ready("flights", "1")
    assert not triton.is_model_ready("flights", "2")
    assert not triton.is_model_ready("fares")
    server = triton.get_server_metadata()
    assert (server["name"], "binary_tensor_data" in server["extensions"]) == ("vitok", True)
    for version in ("", "1"):
        model = triton.get_model_metadata("flights", version)
        assert model["versions"] == ["1"]
        assert [one["datatype"] for one in model["inputs"]] == ["FP32", "FP32", "BYTES", "BOOL"]
        assert [one["name"] for one in model["outputs"]] == ["score", "decision", "id", "version", "action"]
    assert triton.get_model_repository_index() == [
        {"name": "flights", "version": "1", "state": "READY", "reason": ""}
    ]


def test_stock_client_reads_statistics(triton):
    def count(*names):
        return triton.get_inference_statistics(*names)["model_stats"][0]["inference_count"]

    before = count("flights")
    triton.infer("flights", http_inputs())
    assert count("flights") == count("flights", "1") == count() == before + 2


@pytest.mark.parametrize("asked", ["gzip", "deflate", None])
@pytest.mark.parametrize("sent", ["gzip", "deflate", None])
@pytest.mark.parametrize("binary", [True, False])
def test_stock_client_infers_in_every_form(triton, binary, sent, asked):
    from tritonclient import http

    result = triton.infer(
        "flights",
        http_inputs(binary),
        outputs=[http.InferRequestedOutput(name, binary_data=binary) for name in ("decision", "score")],
        request_id="q",
        parameters={"origin": "test"},
        request_compression_algorithm=sent,
        response_compression_algorithm=asked,
    )
    np.testing.assert_allclose(result.as_numpy("score"), SCORES, rtol=1e-5)
    assert [str(value).strip("b'") for value in result.as_numpy("decision")] == ["true", "true"]
    answer = result.get_response()
    assert (answer["id"], answer["parameters"]) == ("q", {"origin": "test"})
    assert [output["name"] for output in answer["outputs"]] == ["decision", "score"]


def test_stock_client_infers_at_once_and_beside(triton):
    everything = triton.infer("flights", http_inputs(), model_version="1")
    assert everything.as_numpy("version").tolist() == [1, 1]
    later = triton.async_infer("flights", http_inputs())
    np.testing.assert_allclose(later.get_result().as_numpy("score"), SCORES, rtol=1e-5)


@pytest.mark.parametrize("door", ["http", "grpc"])
@pytest.mark.parametrize("by", ["name", "parameter"])
def test_stock_clients_read_how_sure_an_answer_is_and_why(server, door, by):
    module = importlib.import_module(f"tritonclient.{door}")
    names = ["interval_low", "interval_high", "explanation"]
    asked = {"parameters": {"interval": True, "explanation": True}}
    if by == "name":
        asked = {"outputs": [module.InferRequestedOutput(name) for name in names]}
    inputs = []
    for name, datatype, array in TENSORS:
        inputs.append(module.InferInput(name, list(array.shape), datatype))
        inputs[-1].set_data_from_numpy(array)
    port = server.port if door == "http" else server.grpc_port
    with module.InferenceServerClient(f"127.0.0.1:{port}") as client:
        result = client.infer("flights", inputs, **asked)
    np.testing.assert_allclose(result.as_numpy("interval_low"), [0.55, 0.71])
    np.testing.assert_allclose(result.as_numpy("interval_high"), [0.78, 0.86])
    first, second = (json.loads(text) for text in result.as_numpy("explanation"))
    assert first["base"] + sum(first["contributions"].values()) == pytest.approx(SCORES[0], abs=1e-5)
    assert second["base"] + sum(second["contributions"].values()) == pytest.approx(SCORES[1], abs=1e-5)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_long_answers_are_compressed_for_whoever_asks(client, triton, algorithm):
    from tritonclient import http

    rows = {"rows": [FLIGHT] * 500}
    plain = client.post("/models/flights/predict", json=rows, headers={"accept-encoding": "identity"})
    packed = client.post("/models/flights/predict", json=rows, headers={"accept-encoding": algorithm})
    assert (plain.headers.get("content-encoding"), packed.headers["content-encoding"]) == (None, algorithm)
    assert len(plain.json()["predictions"]) == len(packed.json()["predictions"]) == 500
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    inputs = []
    for name, datatype, array in TENSORS:
        inputs.append(http.InferInput(name, [2000, 1], datatype))
        inputs[-1].set_data_from_numpy(np.repeat(array, 1000, axis=0))
    result = triton.infer("flights", inputs, response_compression_algorithm=algorithm)
    assert result.as_numpy("score").shape == (2000,)


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.get_model_metadata("fares"),
        lambda c: c.get_model_config("flights"),
        lambda c: c.get_inference_statistics("fares"),
        lambda c: c.load_model("flights"),
        lambda c: c.unload_model("flights"),
        lambda c: c.update_trace_settings("flights", settings={}),
        lambda c: c.get_trace_settings("flights"),
        lambda c: c.update_log_settings({}),
        lambda c: c.get_log_settings(),
        lambda c: c.get_system_shared_memory_status(),
        lambda c: c.register_system_shared_memory("a", "b", 1),
        lambda c: c.unregister_system_shared_memory("a"),
        lambda c: c.get_cuda_shared_memory_status(),
        lambda c: c.register_cuda_shared_memory("a", b"b", 0, 1),
        lambda c: c.unregister_cuda_shared_memory("a"),
        lambda c: c.infer("fares", http_inputs()),
        lambda c: c.infer("flights", http_inputs(), model_version="2"),
    ],
)
def test_what_is_not_offered_is_said_in_a_sentence_the_stock_client_shows(triton, call):
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException) as caught:
        call(triton)
    assert caught.value.status() in ("404", "405")
    assert len(caught.value.message()) > 20


def test_one_matrix_stands_for_all_inputs_when_all_are_numbers(trees):
    from tritonclient import grpc, http

    server, frame, expected = trees
    matrix = frame.to_numpy()[:200].astype(np.float32)
    with http.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        assert "[-1, 30]" in client.get_model_metadata("cancer")["parameters"]["matrix_input"]
        for name, kind, binary in (("inputs", np.float32, True), ("X", np.float64, False)):
            tensor = http.InferInput(name, [200, 30], "FP32" if kind is np.float32 else "FP64")
            tensor.set_data_from_numpy(matrix.astype(kind), binary_data=binary)
            found = client.infer("cancer", [tensor]).as_numpy("score")
            np.testing.assert_allclose(found, expected[:200], atol=1e-5)
    with grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as client:
        tensor = grpc.InferInput("inputs", [200, 30], "FP32")
        tensor.set_data_from_numpy(matrix)
        np.testing.assert_allclose(
            client.infer("cancer", [tensor]).as_numpy("score"), expected[:200], atol=1e-5
        )
    nested = {"name": "inputs", "shape": [2, 30], "datatype": "FP32", "data": matrix[:2].tolist()}
    url = f"{server.url}/v2/models/cancer/infer"
    for data in (nested["data"], matrix[:2].ravel().tolist()):
        answer = httpx.post(url, json={"inputs": [nested | {"data": data}]})
        np.testing.assert_allclose(answer.json()["outputs"][0]["data"], expected[:2], atol=1e-5)
    for shape, data, message in [
        ([1, 7], [1.0] * 7, "single tensor of numbers [n, 30]"),
        ([1, 30], [[1.0] * 29], "nested data that are not of shape [1, 30]"),
        ([1, 30], [None] * 30, "rows[0].mean_radius: is null"),
        ([1, 30], ["a"] * 30, 'rows[0].mean_radius: is "a"'),
    ]:
        answer = httpx.post(url, json={"inputs": [nested | {"shape": shape, "data": data}]})
        assert answer.status_code == 400
        assert message in answer.json()["error"]


# Bad requests


def infer_body(**changes):
    tensors = {
        name: {"name": name, "datatype": datatype, "shape": [2], "data": array.ravel().tolist()}
        for name, datatype, array in TENSORS
    }
    return json.dumps({"inputs": list((tensors | changes).values())}).encode()


def tensor(data, **changes):
    return {"temp": {"name": "temp", "datatype": "FP32", "shape": [2], "data": data} | changes}


DEEP = b'{"inputs":' + b"[" * 100_000
BINARY = {"inputs": [{"name": "temp", "datatype": "FP32", "shape": [2]}]}


def binary_body(size, content, length=None, **changes):
    described = BINARY["inputs"][0] | {"parameters": {"binary_data_size": size}} | changes
    head = json.dumps({"inputs": [described]}).encode()
    return head + content, {"inference-header-content-length": str(length or len(head))}


BAD = {
    "malformed": (b"{oops", {}, "is no JSON"),
    "empty": (b"", {}, "is no JSON"),
    "empty object": (b"{}", {}, "inputs"),
    "list": (b"[1, 2]", {}, "is no inference request"),
    "deep": (DEEP, {}, "nested too deeply"),
    "not UTF-8": (b'{"inputs": [{"name": "\xff"}]}', {}, "UTF-8"),
    "NaN literal": (b'{"inputs": [NaN]}', {}, "Send null for a missing value"),
    "Infinity literal": (b'{"inputs": [-Infinity]}', {}, "Send null for a missing value"),
    "long number": (infer_body(**tensor([10**400, 1])), {}, ""),
    "long shape": (infer_body(**tensor([1, 2], shape=[10**30])), {}, ""),
    "null": (
        infer_body(distance={"name": "distance", "datatype": "FP32", "shape": [2], "data": [1, None]}),
        {},
        "null",
    ),
    "wrong shape": (infer_body(**tensor([1, 2], shape=[3])), {}, "has 2 values for shape [3]"),
    "negative shape": (infer_body(**tensor([1, 2], shape=[-2])), {}, "has shape [-2]"),
    "no shape": (infer_body(**tensor([1, 2], shape=[])), {}, "has shape []"),
    "wide": (infer_body(**tensor([1, 2, 3, 4], shape=[2, 2])), {}, "has shape [2, 2]"),
    "ragged": (infer_body(**tensor([[1], [2, 3]], shape=[2, 1])), {}, "nested data that are not of shape"),
    "too deep data": (infer_body(**tensor([[[1]], [[2]]], shape=[2, 1])), {}, "rows[0].temp"),
    "data no list": (infer_body(**tensor("12")), {}, "has no list `data`"),
    "strings": (infer_body(**tensor(["a", "b"])), {}, 'rows[0].temp: is "a"'),
    "booleans": (infer_body(**tensor([True, False])), {}, "rows[0].temp: is true"),
    "bad datatype": (infer_body(**tensor([1, 2], datatype="FLOAT")), {}, "has datatype 'FLOAT'"),
    "bad parameter": (infer_body()[:-1] + b', "parameters": {"a": []}}', {}, "is no inference request"),
    "truncated": (*binary_body(8, b"1234567"), "7 bytes are left"),
    "one byte more": (*binary_body(8, b"123456789"), "1 bytes too many"),
    "size too small": (*binary_body(4, b"12345678"), "has 1 values for shape [2]"),
    "negative size": (*binary_body(-8, b"12345678"), "binary_data_size -8"),
    "size is text": (*binary_body("8", b"12345678"), "binary_data_size 8"),
    "header too long": (*binary_body(8, b"12345678", 10**6), "Inference-Header-Content-Length"),
    "header absurd": (*binary_body(8, b"12345678", "9" * 5000), "Inference-Header-Content-Length"),
    "header no number": (*binary_body(8, b"12345678", "ten"), "Inference-Header-Content-Length"),
    "header short": (*binary_body(8, b"12345678", 10), "is no JSON"),
    "data and size": (*binary_body(8, b"12345678", data=[1, 2]), "has both data and binary_data_size"),
    "string cut off": (*binary_body(6, b"\x09\0\0\0UA", datatype="BYTES"), "ends inside of a string"),
    "not gzip": (infer_body(), {"content-encoding": "gzip"}, "Content-Encoding"),
    "cut gzip": (gzip.compress(infer_body())[:-20], {"content-encoding": "gzip"}, "ends inside"),
    "two gzips": (gzip.compress(b"{}") * 2, {"content-encoding": "gzip"}, "goes on after"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_inference_is_refused_in_one_sentence(client, case):
    body, headers, message = BAD[case]
    answer = client.post(INFER, content=body, headers=headers)
    assert answer.status_code == 400
    text = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert message in text
    assert "\n" not in text
    assert "Traceback" not in text
    assert len(text) < 600


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models/fares", 404),
        ("GET", "/v2/models/flights/versions/2", 404),
        ("GET", "/v2/models/flights/versions/two", 404),
        ("GET", f"/v2/models/flights/versions/{'9' * 5000}", 404),
        ("GET", INFER, 405),
        ("DELETE", "/v2/models/flights", 405),
    ],
)
def test_other_refusals_have_the_same_form(client, method, path, status):
    answer = client.request(method, path)
    assert (answer.status_code, set(answer.json())) == (status, {"error"})


def test_unknown_coding_is_refused(client):
    answer = client.post(INFER, content=b"x", headers={"content-encoding": "br"})
    assert (answer.status_code, set(answer.json())) == (415, {"error"})


def test_bare_deflate_is_taken_too(client):
    packer = zlib.compressobj(wbits=-15)
    body = packer.compress(infer_body()) + packer.flush()
    answer = client.post(INFER, content=body, headers={"content-encoding": "deflate"})
    assert answer.status_code == 200


@pytest.mark.parametrize("kind", ["one", "chunked", "nested"])
def test_gzip_bomb_is_refused_early(server, kind):
    import psutil

    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b" " * 2**20) for _ in range(512)) + packer.flush()  # 512 MB in 0.5 MB
    if kind == "nested":
        bomb = gzip.compress(bomb)
    content = iter([bomb[start : start + 4096] for start in range(0, len(bomb), 4096)])
    parent = psutil.Process(server.process.pid)
    processes = [parent, *parent.children(recursive=True)]
    before = sum(each.memory_info().rss for each in processes)
    answer = httpx.post(
        f"{server.url}{INFER}",
        content=content if kind == "chunked" else bomb,
        headers={"content-encoding": "gzip"},
    )
    assert answer.status_code == (400 if kind == "nested" else 413)
    assert isinstance(answer.json()["error"], str)
    assert sum(each.memory_info().rss for each in processes) - before < 64 * 2**20
    assert httpx.get(f"{server.url}/v2/health/ready").status_code == 200


# The Open Inference Protocol over gRPC


def test_stock_grpc_client_reads_health_and_metadata(triton_grpc):
    assert triton_grpc.is_server_live()
    assert triton_grpc.is_server_ready()
    assert triton_grpc.is_model_ready("flights")
    assert triton_grpc.is_model_ready("flights", "1")
    assert not triton_grpc.is_model_ready("flights", "2")
    assert not triton_grpc.is_model_ready("fares")
    assert triton_grpc.get_server_metadata().name == "vitok"
    for version in ("", "1"):
        model = triton_grpc.get_model_metadata("flights", version)
        assert (model.platform, list(model.versions)) == ("onnxruntime_onnx", ["1"])
        assert [(one.name, one.datatype) for one in model.inputs][2] == ("carrier", "BYTES")
        assert list(model.inputs[0].shape) == [-1, 1]
    (entry,) = triton_grpc.get_model_repository_index().models
    assert (entry.name, entry.version, entry.state) == ("flights", "1", "READY")


@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_stock_grpc_client_infers(triton_grpc, packed):
    from tritonclient import grpc

    outputs = [grpc.InferRequestedOutput(name) for name in ("decision", "score")]
    result = triton_grpc.infer(
        "flights",
        grpc_inputs(),
        outputs=outputs,
        request_id="q",
        parameters={"origin": "test", "count": 3},
        compression_algorithm=packed,
    )
    np.testing.assert_allclose(result.as_numpy("score"), SCORES, rtol=1e-5)
    assert result.as_numpy("decision").tolist() == [b"true", b"true"]
    answer = result.get_response()
    assert (answer.id, answer.model_version) == ("q", "1")
    assert answer.parameters["origin"].string_param == "test"
    assert answer.parameters["count"].int64_param == 3
    everything = triton_grpc.infer("flights", grpc_inputs(), model_version="1")
    assert everything.as_numpy("version").tolist() == [1, 1]


def raw_call(server, name, content):
    """One call with our own messages, as a client without Triton's library would make it."""
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        call = channel.unary_unary(f"/inference.GRPCInferenceService/{name}")
        return MESSAGES[f"{name}Response"].FromString(call(content))


def typed_request(**changes):
    request = MESSAGES["ModelInferRequest"](model_name="flights", id="q")
    fields = {
        "FP32": "fp32_contents",
        "INT64": "int64_contents",
        "BYTES": "bytes_contents",
        "BOOL": "bool_contents",
    }
    for name, datatype, array in TENSORS:
        added = request.inputs.add(name=name, datatype=datatype, shape=[2])
        values = array.ravel().tolist()
        getattr(added.contents, fields[datatype]).extend(
            [value.encode() for value in values] if datatype == "BYTES" else values
        )
    return request


def test_typed_contents_are_answered_with_typed_contents(server):
    answer = raw_call(server, "ModelInfer", typed_request().SerializeToString())
    outputs = {output.name: output.contents for output in answer.outputs}
    np.testing.assert_allclose(outputs["score"].fp32_contents, SCORES, rtol=1e-5)
    assert list(outputs["decision"].bytes_contents) == [b"true", b"true"]
    assert list(outputs["version"].int64_contents) == [1, 1]
    assert (answer.id, len(answer.raw_output_contents)) == ("q", 0)


def spoilt(change):
    request = typed_request()
    change(request)
    return request.SerializeToString()


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"\xff\xff\xff", "INVALID_ARGUMENT", "is no ModelInferRequest"),
        (b"", "NOT_FOUND", "is not served here"),
        (spoilt(lambda r: setattr(r, "model_name", "fares")), "NOT_FOUND", "'fares': is not served here"),
        (spoilt(lambda r: setattr(r, "model_name", "flights/versions/1")), "INVALID_ARGUMENT", "slash"),
        (spoilt(lambda r: setattr(r, "model_version", "2")), "NOT_FOUND", "version 2"),
        (spoilt(lambda r: r.inputs[0].shape.append(3)), "INVALID_ARGUMENT", "has shape [2, 3]"),
        (spoilt(lambda r: r.inputs[0].contents.fp32_contents.pop()), "INVALID_ARGUMENT", "has 1 values"),
        (spoilt(lambda r: setattr(r.inputs[0], "datatype", "FP8")), "INVALID_ARGUMENT", "FP8"),
        (spoilt(lambda r: setattr(r.inputs[0], "datatype", "INT8")), "INVALID_ARGUMENT", "has 0 values"),
        (spoilt(lambda r: r.raw_input_contents.append(b"1")), "INVALID_ARGUMENT", "1 tensors for 4 inputs"),
        (spoilt(lambda r: r.raw_input_contents.extend([b"1"] * 4)), "INVALID_ARGUMENT", "beside raw_input"),
        (spoilt(lambda r: r.inputs.pop(1)), "INVALID_ARGUMENT", "distance: is missing"),
        (spoilt(lambda r: r.parameters["a"].Clear()), "INVALID_ARGUMENT", "has no value"),
        (spoilt(lambda r: r.outputs.add(name="x")), "INVALID_ARGUMENT", "'x' is no output"),
        (
            spoilt(lambda r: r.inputs[2].contents.bytes_contents.__setitem__(0, b"\xff")),
            "INVALID_ARGUMENT",
            "is not UTF-8",
        ),
    ],
)
def test_bad_calls_get_a_code_and_a_sentence(server, content, code, message):
    import grpc

    with pytest.raises(grpc.RpcError) as caught:
        raw_call(server, "ModelInfer", content)
    assert caught.value.code().name == code
    assert message in caught.value.details()


def test_unknown_call_is_not_implemented(triton_grpc):
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException, match="Method not found"):
        triton_grpc.get_model_config("flights")


def test_missing_value_is_nan_in_grpc(server):
    request = typed_request()
    request.inputs[0].contents.fp32_contents[0] = float("nan")
    answer = raw_call(server, "ModelInfer", request.SerializeToString())
    assert len(answer.outputs) == 5


def shape_of(descriptor):
    """What decides whether two definitions of a message mean the same bytes."""
    return {
        field.name: (
            field.number,
            field.type,
            field.is_repeated,
            field.message_type and shape_of(field.message_type),
        )
        for field in descriptor.fields
    }


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_are_those_of_the_stock_client(name):
    from tritonclient.grpc import service_pb2

    assert shape_of(MESSAGES[name].DESCRIPTOR) == shape_of(getattr(service_pb2, name).DESCRIPTOR)


def test_workers_share_the_grpc_port_and_journal_alike(tmp_path):
    from test_serving import moved
    from tritonclient import grpc

    write_plan(tmp_path / ".vitok", flight_bundle(Blobs(tmp_path / ".vitok" / "blobs")))
    ids, workers, end = [], 0, time.perf_counter() + 20
    with running(tmp_path, workers=2, grpc=True) as server:
        while (
            workers < 2
        ):  # the kernel deals connections out by chance, and one worker is ready before the other
            assert time.perf_counter() < end
            for number in range(10):
                own = [
                    ("grpc.use_local_subchannel_pool", 1),
                    ("test", number),
                ]  # a connection for each client
                with grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}", channel_args=own) as client:
                    ids += client.infer("flights", grpc_inputs()).as_numpy("id").tolist()
            workers = moved(tmp_path).predictions()["worker"].n_unique()
    found = moved(tmp_path).predictions()
    assert sorted(found["id"]) == sorted(value.decode() for value in ids)


# MLflow's scoring protocol

ROWS = [
    {"temp": 4.5, "distance": 800, "carrier": "UA", "holiday": False},
    {"temp": -3.0, "distance": 100, "carrier": "ZZ", "holiday": True},
]
COLUMNS = list(ROWS[0])
VALUES = [list(row.values()) for row in ROWS]


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": COLUMNS, "data": VALUES}},
        {
            "dataframe_split": {
                "index": [0, 1],
                "columns": COLUMNS[::-1],
                "data": [row[::-1] for row in VALUES],
            }
        },
        {"dataframe_records": ROWS},
        {"instances": ROWS},
        {"instances": VALUES},
        {"inputs": VALUES},
        {"inputs": {name: [row[name] for row in ROWS] for name in COLUMNS}},
        {"inputs": {name: [[row[name]] for row in ROWS] for name in COLUMNS}},
    ],
)
def test_invocations_takes_every_form(client, body):
    assert client.post("/invocations", json=body).json() == {"predictions": [True, True]}
    answer = client.post("/invocations", json=body | {"params": {"scores": True, "ids": True}}).json()
    np.testing.assert_allclose(answer["predictions"], [[1 - score, score] for score in SCORES], rtol=1e-5)
    assert len(answer["ids"]) == 2


def test_invocations_takes_csv(client):
    text = "distance,temp,holiday,carrier,flight\r\n800,4.5,False,UA,a1\r\n100,,TRUE,ZZ,\r\n"
    answer = client.post("/invocations", content=text, headers={"content-type": "text/csv; charset=utf-8"})
    assert answer.json() == {"predictions": [True, True]}


@pytest.mark.parametrize(
    ("body", "kind", "status", "message"),
    [
        (b"{oops", "application/json", 400, "is no JSON"),
        (b'{"instances": [NaN]}', "application/json", 400, "Send null"),
        (b'{"instances": [[1]]}', "application/json", 400, "instances[0]: has 1 values for 4 columns"),
        (b'{"instances": 3}', "application/json", 400, "instances: is no list"),
        (b'{"instances": []}', "application/json", 400, "rows: is empty"),
        (b'{"instances": [], "inputs": []}', "application/json", 400, "has 2 of the forms"),
        (b"[]", "application/json", 400, "body: is no object"),
        (b'{"foo": 1}', "application/json", 400, "unknown key 'foo'"),
        (b'{"dataframe_split": []}', "application/json", 400, "no lists `columns` and `data`"),
        (b'{"dataframe_split": {"columns": ["temp", "temp"], "data": []}}', "application/json", 400, "once"),
        (
            b'{"dataframe_split": {"columns": ["temp"], "data": [], "index": {}}}',
            "application/json",
            400,
            "is no list",
        ),
        (b'{"dataframe_records": [[1]]}', "application/json", 400, "rows[0]: is [1]"),
        (b'{"inputs": {"temp": [1, 2], "distance": [1]}}', "application/json", 400, "temp 2, distance 1"),
        (b'{"inputs": {"tmep": [1]}}', "application/json", 400, "Did you mean 'temp'?"),
        (b'{"instances": [], "params": {"top": 1}}', "application/json", 400, ""),
        (b"distance\nfar\n", "text/csv", 400, "line 2, column 'distance': is 'far'"),
        (b"distance,holiday\n1,maybe\n", "text/csv", 400, "Send true or false"),
        (b"distance,carrier\n1\n", "text/csv", 400, "line 2: has 1 values for 2 columns"),
        (b"", "text/csv", 400, "no header"),
        (b"a\n\xff", "text/csv", 400, "is not UTF-8"),
        (b"x", "application/vnd.apache.parquet", 415, "Send application/json or text/csv"),
        (b"x", "text/csv; charset=latin-1", 415, "Send UTF-8"),
    ],
)
def test_bad_invocations_are_explained_as_mlflow_does(client, body, kind, status, message):
    answer = client.post("/invocations", content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert set(answer.json()) == {"error_code", "message"}
    assert answer.json()["error_code"] == "BAD_REQUEST"
    assert message in answer.json()["message"]


def test_probes_of_mlflow_are_answered(client):
    assert [client.get(path).status_code for path in ("/ping", "/health", "/version")] == [200, 200, 200]
    assert client.get("/version").text.count(".") == 2


def test_binary_strings_are_read_by_length(client):
    content = struct.pack("<I", 2) + b"UA"
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "carrier",
                    "datatype": "BYTES",
                    "shape": [1],
                    "parameters": {"binary_data_size": len(content)},
                },
                {"name": "distance", "datatype": "UINT16", "shape": [1, 1], "data": [[800]]},
            ]
        }
    ).encode()
    headers = {"inference-header-content-length": str(len(head))}
    assert client.post(INFER, content=head + content, headers=headers).status_code == 200


# Starting it


def test_command_answers_grpc_on_the_port_that_it_says(tmp_path):
    from tritonclient import grpc

    write_plan(tmp_path / ".vitok", flight_bundle(Blobs(tmp_path / ".vitok" / "blobs")))
    command = [sys.executable, "-m", "vitok.cli", "serve", "--port", "0", "--grpc-port", "0", "--json"]
    command += ["--project", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = json.loads(process.stdout.readline())
            end = time.perf_counter() + 20
            with grpc.InferenceServerClient(said["grpc"]) as client:
                while not is_ready(client):
                    assert time.perf_counter() < end
                    time.sleep(0.05)
                assert client.infer("flights", grpc_inputs()).as_numpy("score").shape == (2,)
        finally:
            process.terminate()
            process.communicate(timeout=60)


def is_ready(client):
    from tritonclient.utils import InferenceServerException

    try:
        return client.is_server_ready()
    except InferenceServerException:
        return False


def test_grpc_port_in_use_is_explained(server, trees):
    from vitok.serve.server import reserve_grpc

    with pytest.raises(UserMistake, match=rf"port {server.grpc_port} on 127.0.0.1: is in use"):
        reserve_grpc("127.0.0.1", server.grpc_port)


def test_missing_grpcio_is_explained(monkeypatch):
    from vitok.serve.server import reserve_grpc

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        UserMistake, match=r"needs the package grpcio. Install it: pip install 'vitok\[grpc\]'"
    ):
        reserve_grpc("127.0.0.1", 0)


def test_nothing_of_grpc_is_loaded_without_its_port():
    code = "import sys, vitok.serve.server, vitok.cli.serve; "
    code += "print('grpc' in sys.modules, 'google.protobuf' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
