"""gRPC behind the certificate of HTTPS, by stock clients against a real server."""

import httpx
import numpy as np
import pytest
from test_keys import PATH, Served

from certificates import write_certificate
from commands import run_vitok
from examples import CHARTER, FLIGHT, flight_bundle, write_plan
from serving import free_port
from vitok.store.blobs import Blobs

pytestmark = [
    pytest.mark.xdist_group("serving"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def project(tmp_path):
    (tmp_path / "vitok.yaml").write_text(CHARTER)
    write_plan(tmp_path / ".vitok", flight_bundle(Blobs(tmp_path / ".vitok" / "blobs")))
    return tmp_path


def inputs():
    from tritonclient import grpc

    found = []
    for name, datatype, value in (("distance", "INT64", 800), ("carrier", "BYTES", "UA")):
        dtype = object if datatype == "BYTES" else np.int64
        tensor = grpc.InferInput(name, [1, 1], datatype)
        tensor.set_data_from_numpy(np.array([[value]], dtype=dtype))
        found.append(tensor)
    return found


def test_grpc_answers_with_the_certificate_of_https_and_to_nobody_in_the_clear(project):
    import grpc
    from tritonclient import grpc as triton
    from tritonclient.utils import InferenceServerException

    key = run_vitok("keys", "add", "shop", "--scope", "predict", "--project", project).json["key"]
    certificate, private_key = write_certificate(project)
    port = free_port()
    words = ("--tls-cert", certificate, "--tls-key", private_key, "--grpc-port", port, "--guarded")
    with Served(project, *words) as server, httpx.Client(verify=_trust(certificate)) as client:
        url = server.ready(client, f"https://localhost:{server.port}")
        bearer = {"authorization": f"Bearer {key}"}
        assert client.post(url + PATH, json={"rows": [FLIGHT]}, headers=bearer).status_code == 200
        address = f"localhost:{port}"
        with triton.InferenceServerClient(address, ssl=True, root_certificates=str(certificate)) as found:
            assert found.is_server_ready()
            result = found.infer("flights", inputs(), headers=bearer)
            assert result.as_numpy("score").shape == (1,)
            with pytest.raises(InferenceServerException, match="UNAUTHENTICATED"):
                found.infer("flights", inputs())
        with grpc.insecure_channel(address) as plain, pytest.raises(grpc.RpcError) as caught:
            plain.unary_unary("/inference.GRPCInferenceService/ServerLive")(b"", timeout=5)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        (project / "else").mkdir()
        stranger, _ = write_certificate(project / "else")
        trust = grpc.ssl_channel_credentials(stranger.read_bytes())
        with grpc.secure_channel(address, trust) as deceived, pytest.raises(grpc.RpcError) as caught:
            deceived.unary_unary("/inference.GRPCInferenceService/ServerLive")(b"", timeout=5)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def _trust(certificate):
    import ssl

    return ssl.create_default_context(cafile=str(certificate))
