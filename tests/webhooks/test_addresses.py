"""Nobody can have us post into the network we stand in."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess

import pytest
from pydantic import ValidationError

from consumers.runner import MayPass
from consumers.webhook_address import is_public, resolve
from consumers.webhook_settings import Endpoint
from tests.patience import PATIENCE

INTERNAL = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1",
    "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1",
    "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::127.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "2001:db8::1", "2001:0:7f00:1::1", "fec0::1", "64:ff9b:1::1",
    "168.63.129.16", "192.0.0.192", "::ffff:168.63.129.16", "64:ff9b::a83f:8110",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "64:ff9b::101:101",
          "::ffff:1.1.1.1"]  # fmt: skip


@pytest.mark.parametrize("address", INTERNAL)
def test_an_internal_address_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "0",
     "::1", "::ffff:127.0.0.1", "169.254.169.254", "2852039166"],
)  # fmt: skip
def test_whatever_way_an_internal_address_is_written_it_is_refused(host, house, receiver):
    with pytest.raises(MayPass, match="internal"):
        resolve(host, receiver.port, allow_internal=False)
    wrapped = f"[{host}]" if ":" in host else host
    webhook = house.webhook(f"http://{wrapped}:{receiver.port}/", allow_internal=False)
    with pytest.raises(MayPass, match="internal"):
        webhook.send("id", b"{}")
    assert receiver.got == []


def names(monkeypatch, *answers):
    """A name server of the test's: each look-up gets the next of these addresses."""
    looked: list[str] = []
    real = socket.getaddrinfo

    def look(host, port, **said):
        if host != "hooks.example":
            return real(host, port, **said)
        looked.append(host)
        here = answers[min(len(looked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in here]

    monkeypatch.setattr(socket, "getaddrinfo", look)
    return looked


def test_a_name_that_leads_inside_is_refused(monkeypatch, house, receiver):
    names(monkeypatch, ["127.0.0.1"])
    webhook = house.webhook(f"http://hooks.example:{receiver.port}/", allow_internal=False)
    with pytest.raises(MayPass, match="internal"):
        house.runner(webhook).catch_up()
    assert receiver.got == []
    assert house.store.incidents() == []


def test_a_name_of_which_one_address_leads_inside_is_refused(monkeypatch):
    names(monkeypatch, ["1.1.1.1", "127.0.0.1"])
    with pytest.raises(MayPass, match="internal"):
        resolve("hooks.example", 80, allow_internal=False)


def test_a_name_is_looked_up_once_and_what_was_checked_is_connected_to(
    monkeypatch, house, receiver
):
    looked = names(monkeypatch, ["1.1.1.1"], ["127.0.0.1"])
    connected = []

    def connect(self, where):
        connected.append(where)
        raise OSError("no way out of here")

    monkeypatch.setattr(socket.socket, "connect", connect)
    webhook = house.webhook(f"http://hooks.example:{receiver.port}/", allow_internal=False)
    with pytest.raises(MayPass, match="no answer"):
        webhook.send("id", b"{}")
    assert connected == [("1.1.1.1", receiver.port)]
    assert len(looked) == 1


def test_what_is_meant_is_allowed(monkeypatch, house, receiver):
    names(monkeypatch, ["127.0.0.1"])
    webhook = house.webhook(f"http://hooks.example:{receiver.port}/")
    assert webhook.send("id", b"{}") == ""
    assert receiver.got[0].headers["host"] == f"hooks.example:{receiver.port}"


def test_a_proxy_of_the_environment_is_not_used(monkeypatch, house, receiver):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert house.webhook(receiver.url).send("id", b"{}") == ""


@pytest.mark.parametrize(
    "url",
    ["", "hooks", "http://example.org/", "ftp://example.org/", "file:///etc/passwd", "https://",
     "https://user:pw@example.org/", "https://example.org/#part", "https://example.org:99999/",
     "https://example.org/a b", "https://example.org/\r\nX: y", "https://exämple.org/",
     "https://[::1/", "https:example.org"],
)  # fmt: skip
def test_an_url_that_is_none_or_not_secret_is_refused(url):
    with pytest.raises(ValidationError):
        Endpoint(url=url, secrets_env=("S",))


def test_a_receiver_that_does_not_speak_tls_is_not_told_anything(house, receiver):
    webhook = house.webhook(receiver.url.replace("http://", "https://"), allow_http=False)
    with pytest.raises(MayPass):
        webhook.send("id", b"{}")
    assert receiver.got == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for hooks.example, signed by itself."""
    if not shutil.which("openssl"):
        assert not os.environ.get("CI"), "openssl is missing"
        pytest.skip("openssl is missing (Debian: apt-get install openssl)")
    folder = tmp_path_factory.mktemp("tls")
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=hooks.example",
         "-addext", "subjectAltName=DNS:hooks.example", *files],
        check=True, capture_output=True, timeout=PATIENCE,
    )  # fmt: skip
    return folder


@pytest.fixture
def secure(receiver, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    return receiver


def test_over_tls_the_name_is_checked_though_an_address_is_connected_to(
    monkeypatch, house, secure, certificate
):
    names(monkeypatch, ["127.0.0.1"])
    trusted = {"ca_file": str(certificate / "certificate.pem"), "allow_http": False}
    webhook = house.webhook(f"https://hooks.example:{secure.port}/", **trusted)
    assert webhook.send("id", b"{}") == ""
    assert secure.got[0].headers["host"] == f"hooks.example:{secure.port}"
    for url, said in (
        (f"https://hooks.example:{secure.port}/", {"allow_http": False}),
        (f"https://127.0.0.1:{secure.port}/", trusted),
    ):
        with pytest.raises(MayPass, match="certificate is not trusted"):
            house.webhook(url, **said).send("id", b"{}")
    assert len(secure.got) == 1
