"""Keys go only to the host whose certificate is for the name in the configuration."""

import ssl
import subprocess

import client
import harness
import pytest
from test_failover import ASK, OPENAI_OK
from upstream import Upstream


def certificates(folder, name: str) -> None:
    """A CA, and a certificate by it for `name`."""
    steps = [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
        f"req -newkey rsa:2048 -nodes -subj /CN={name} -addext subjectAltName=DNS:{name} -keyout key.pem -out request.pem",
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copy -out cert.pem",
    ]
    for step in steps:
        subprocess.run(["openssl", *step.split()], cwd=folder, check=True, capture_output=True)


class Secure(Upstream):
    """TLS in front of the scripted provider; the names asked for by SNI are kept."""

    def __init__(self, folder, **how):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self.context.set_alpn_protocols(["http/1.1"])
        self.asked: list[str | None] = []
        self.context.sni_callback = lambda _, name, __: self.asked.append(name)
        super().__init__(**how)

    def _serve(self, connection):
        try:
            super()._serve(self.context.wrap_socket(connection, server_side=True))
        except OSError:
            connection.close()


@pytest.mark.parametrize("name", ["localhost", "elsewhere.test"])
def test_the_certificate_must_be_for_the_host(name, tmp_path):
    certificates(tmp_path, name)
    config = harness.shipped()
    with Secure(tmp_path, always=OPENAI_OK) as upstream:
        for cluster in config["static_resources"]["clusters"]:
            if "load_assignment" not in cluster:
                continue
            endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
            endpoint["address"] = {"socket_address": {"address": "localhost", "port_value": upstream.port}}
            tls = cluster["transport_socket"]["typed_config"]["common_tls_context"]
            tls["validation_context"]["trusted_ca"]["filename"] = str(tmp_path / "ca.pem")
        with harness.Envoy(config) as envoy:
            got = client.call(envoy.port, body={**ASK, "model": "gpt-4o"})
        assert upstream.asked[0] == "localhost"
        if name == "localhost":
            assert got.status == 200 and len(upstream.arrived) == 1, got
        else:
            assert got.status == 503 and not upstream.arrived
            assert b"elsewhere" not in got.body and b"localhost" not in got.body
