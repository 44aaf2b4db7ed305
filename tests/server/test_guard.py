"""Who may speak to the server. Every web page in the user's browser can reach it; only Obsidian's may use it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.server.building import TOMATOES, Building
from tests.server.reading import question
from vaultbridge.server.app import Application
from vaultbridge.server.guard import OBSIDIAN_ORIGINS, GuardOptions
from vaultbridge.server.port import is_loopback

CHAT = "/v1/chat/completions"
STRANGERS = [
    "https://evil.example",
    "http://localhost:3000",
    "https://localhost",
    "http://127.0.0.1:8080",
    "null",
    "app://obsidian.md.evil.example",
    "app://other",
    "file://",
    "http://localhost.evil.example",
    "HTTP://LOCALHOST",
    "",
]


def raw(address: str, request: str) -> bytes:
    """The answer to exactly these bytes."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=5) as line:
        line.sendall(request.replace("\n", "\r\n").encode())
        answer = b""
        while data := line.recv(65536):
            answer += data
    return answer


# --- Host ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "localhost:1234", "127.0.0.1:1", "LOCALHOST:80", "[::1]", "[::1]:1234"])
def test_our_own_names_are_served(client: httpx.Client, host: str) -> None:
    assert client.get("/vault/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:1234",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:localhost",
        "localhost@evil.example",
        "127.0.0.2",
        "0.0.0.0",
        "[::2]",
        "::1",
        "localhost.",
        "localhost:80:80",
        "",
    ],
)
def test_a_rebound_name_is_refused(client: httpx.Client, host: str) -> None:
    for path in ("/vault/search?q=water", "/health", "/v1/models"):
        response = client.get(path, headers={"Host": host})
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "forbidden"


def test_a_request_without_a_host_is_refused(address: str) -> None:
    assert b" 403 " in raw(address, "GET /vault/status HTTP/1.0\n\n").split(b"\r\n")[0]


def test_two_hosts_do_not_get_past(address: str) -> None:
    answer = raw(address, "GET /vault/status HTTP/1.1\nHost: evil.example\nHost: localhost\nConnection: close\n\n")
    assert answer.split(b" ")[1] in (b"400", b"403")


def test_names_of_the_settings_are_served(building: Building) -> None:
    address = building.serve(options=GuardOptions(hosts=("Vault.lan",)))
    with httpx.Client(base_url=address, trust_env=False) as client:
        assert client.get("/health", headers={"Host": "vault.LAN:1234"}).status_code == 200


# --- Origin -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", STRANGERS)
def test_a_page_of_strangers_is_refused_whatever_it_sends(client: httpx.Client, origin: str) -> None:
    headers = {"Origin": origin}
    simple = headers | {"Content-Type": "text/plain"}
    asked = headers | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Private-Network": "true"}
    for response in (
        client.get("/vault/search?q=water", headers=headers),
        client.post(CHAT, json=question(TOMATOES), headers=headers),
        client.post(CHAT, content=b'{"messages":[{"role":"user","content":"x"}]}', headers=simple),
        client.options(CHAT, headers=asked),
        client.get("/nowhere", headers=headers),
    ):
        assert response.status_code == 403
        assert not [name for name in response.headers if name.startswith("access-control")]
        assert response.headers["vary"] == "Origin"
        assert "omatoes" not in response.text


@pytest.mark.parametrize("origin", OBSIDIAN_ORIGINS)
def test_obsidian_may_ask_and_read_errors_too(client: httpx.Client, origin: str) -> None:
    headers = {"Origin": origin}
    for response in (
        client.get("/vault/status", headers=headers),
        client.post(CHAT, json=question(TOMATOES, stream=True), headers=headers),
        client.post(CHAT, json={}, headers=headers),
        client.get("/nowhere", headers=headers),
    ):
        assert response.headers.get_list("access-control-allow-origin") == [origin]
        assert "Origin" in response.headers["vary"]
        exposed = response.headers["access-control-expose-headers"].lower().split(", ")
        assert {"x-request-id", "retry-after"} <= set(exposed)
        assert response.status_code != 403


def test_a_preflight_gets_back_what_it_asks_for(client: httpx.Client) -> None:
    asked = "authorization,content-type,x-stainless-os,x-vaultbridge-note"
    response = client.options(
        CHAT,
        headers={
            "Origin": "app://obsidian.md",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": asked,
        },
    )
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "app://obsidian.md"
    assert response.headers["access-control-allow-headers"] == asked
    assert "POST" in response.headers["access-control-allow-methods"]
    assert "access-control-allow-private-network" not in response.headers
    assert {"Origin", "Access-Control-Request-Headers"} <= set(response.headers["vary"].split(", "))


def test_a_preflight_that_asks_for_no_headers_is_granted_none(client: httpx.Client) -> None:
    asked = {"Origin": "app://obsidian.md", "Access-Control-Request-Method": "GET"}
    assert "access-control-allow-headers" not in client.options(CHAT, headers=asked).headers


@pytest.mark.parametrize("network", ["private", "local"])
def test_a_preflight_for_the_private_network_is_granted_to_obsidian(client: httpx.Client, network: str) -> None:
    response = client.options(
        CHAT,
        headers={
            "Origin": "app://obsidian.md",
            "Access-Control-Request-Method": "POST",
            f"Access-Control-Request-{network.title()}-Network": "true",
        },
    )
    assert response.headers[f"access-control-allow-{network}-network"] == "true"


# What browsers say of a request that carries no Origin: who made it, for what.
IMAGE = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
FRAME = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("kind", [IMAGE, FRAME, LINK], ids=["image", "frame", "link"])
def test_a_page_that_hides_its_origin_is_refused_too(client: httpx.Client, site: str, kind: dict[str, str]) -> None:
    headers = {"Sec-Fetch-Site": site, **kind}
    for method, path in [("GET", "/vault/search?q=water"), ("GET", "/page/page.js"), ("POST", "/"), ("POST", CHAT)]:
        assert client.request(method, path, headers=headers).status_code == 403, path


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_of_another_site_may_lead_to_the_page_and_only_as_a_page(client: httpx.Client, site: str) -> None:
    assert client.get("/", headers={"Sec-Fetch-Site": site, **LINK}).status_code == 200
    for kind in (IMAGE, FRAME):
        assert client.get("/", headers={"Sec-Fetch-Site": site, **kind}).status_code == 403


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_our_own_page_and_what_is_typed_may_read(client: httpx.Client, site: str) -> None:
    assert client.get("/vault/status", headers={"Sec-Fetch-Site": site}).status_code == 200


def test_obsidian_may_stream_whatever_the_browser_calls_its_site(client: httpx.Client) -> None:
    headers = {"Origin": "app://obsidian.md", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    assert client.post(CHAT, json=question(TOMATOES, stream=True), headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/", "/page/page.js", "/vault/status", "/v1/models", "/nowhere", "/openapi.json"])
def test_no_answer_can_be_framed_sniffed_embedded_or_kept(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


def test_the_address_that_was_called_is_a_name_of_ours(building: Building) -> None:
    # It cannot be rebound: a page that was loaded from it was loaded from this computer.
    scope = {"type": "http", "server": ("192.168.1.5", 1234), "headers": [(b"host", b"192.168.1.5:1234")]}
    status = building.await_(status_of(Application(GuardOptions(), building.services), scope))
    assert status == 200
    scope["headers"] = [(b"host", b"192.168.1.6:1234")]
    assert building.await_(status_of(Application(GuardOptions(), building.services), scope)) == 403


async def status_of(application: Application, scope: dict[str, Any]) -> int:
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    whole = {"method": "GET", "path": "/health", "raw_path": b"/health", "query_string": b"", "scheme": "http", **scope}
    await application({"root_path": "", "http_version": "1.1", "client": None, "state": {}, **whole}, receive, send)
    return int(said[0]["status"])


def test_a_page_of_our_own_and_an_origin_of_the_settings_may_ask(building: Building, address: str) -> None:
    own = f"http://{urlsplit(address).netloc}"
    with httpx.Client(base_url=address, trust_env=False) as client:
        assert client.get("/vault/status", headers={"Origin": own}).status_code == 200
    other = building.serve(options=GuardOptions(origins=("http://notes.lan:8080",)))
    with httpx.Client(base_url=other, trust_env=False) as client:
        assert client.get("/vault/status", headers={"Origin": "http://notes.lan:8080"}).status_code == 200


def test_a_program_without_an_origin_may_ask(client: httpx.Client) -> None:
    response = client.get("/vault/status")
    assert response.status_code == 200
    assert "access-control-allow-origin" not in response.headers


def test_a_websocket_is_not_opened(address: str) -> None:
    answer = raw(
        address,
        "GET /vault/events HTTP/1.1\nHost: localhost\nOrigin: https://evil.example\nUpgrade: websocket\n"
        "Connection: Upgrade, close\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n\n",
    )
    assert b" 101 " not in answer
    assert answer.split(b" ")[1] in (b"400", b"403")


# --- token --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def locked(building: Building) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=building.serve(options=GuardOptions(token="schlüssel")), trust_env=False) as client:
        yield client


@pytest.mark.parametrize("sent", [None, "", "Bearer", "Bearer wrong", "Bearer schl", "schlüssel", "Basic schlüssel"])
def test_without_the_token_nothing_is_said(locked: httpx.Client, sent: str | None) -> None:
    headers = {} if sent is None else {b"Authorization": sent.encode()}
    for path in ("/vault/status", "/v1/models", "/vault/search?q=water"):
        response = locked.get(path, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert "token" in response.json()["error"]["message"]


def test_the_page_needs_no_token_and_all_that_it_shows_does(locked: httpx.Client) -> None:
    assert locked.get("/").status_code == 200
    assert locked.get("/page/page.js").status_code == 200
    for path in ("/health", "/metrics", "/openapi.json", "/page/../vault/status", "/vault/notes/page/"):
        assert locked.get(path).status_code == 401, path


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_right_token_opens(locked: httpx.Client, scheme: str) -> None:
    assert locked.get("/vault/status", headers={b"Authorization": f"{scheme} schlüssel".encode()}).status_code == 200


def test_obsidian_can_read_that_its_token_is_wrong_and_preflights_need_none(locked: httpx.Client) -> None:
    headers = {"Origin": "app://obsidian.md"}
    assert locked.get("/vault/status", headers=headers).headers["access-control-allow-origin"] == "app://obsidian.md"
    preflight = locked.options(CHAT, headers=headers | {"Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 204


# --- where it listens -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.0.0.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("localhost.example", False),
    ],
)
def test_only_loopback_needs_no_token(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
