"""In a real browser: what the page of a stranger can do to the server, which is nothing, and what Obsidian can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.browsing import renaming, site
from tests.browser.conftest import ANSWER, Counted
from tests.server.building import TOMATOES, Building
from tests.server.reading import question
from vaultbridge.server.guard import GuardOptions

CHAT = "/v1/chat/completions"
ASKED = json.dumps(question(TOMATOES, stream=True))

# Each returns what the page could read, and tries its best to cause a generation.
FETCH = """async ([url, body, init]) => {
  try {
    const response = await fetch(url, { method: "POST", body, ...init });
    return `${response.status} ${await response.text()}`;
  } catch (error) { return "nothing"; }
}"""
FORM = """([url, body]) => new Promise((resolve) => {
  document.body.insertAdjacentHTML("beforeend", '<iframe name="hole"></iframe>');
  const form = document.createElement("form");
  Object.assign(form, { method: "POST", action: url, enctype: "text/plain", target: "hole" });
  const field = document.createElement("input");
  // text/plain sends name=value: JSON with the = in a string.
  field.name = body.replace(/}$/, ', "x": "');
  field.value = '"}';
  form.append(field);
  document.body.append(form);
  document.querySelector("iframe").onload = (event) => {
    try { resolve(event.target.contentDocument.body.innerText); } catch { resolve("nothing"); }
  };
  form.submit();
})"""
TAG = """([name, url]) => new Promise((resolve) => {
  const tag = document.createElement(name);
  tag.onload = () => {
    // What is in a frame of another origin stays hidden; that it was not even shown is looked at from outside.
    const frame = name === "iframe" || name === "object";
    resolve(frame ? (tag.contentDocument?.body.innerText ?? "nothing") : "loaded");
  };
  tag.onerror = () => resolve("nothing");
  if (name === "link") tag.rel = "stylesheet";
  tag[{ link: "href", object: "data" }[name] ?? "src"] = url;
  document.body.append(tag);
})"""
EVENTS = """(url) => new Promise((resolve) => {
  const source = new EventSource(url);
  source.onmessage = (event) => resolve(event.data);
  source.onerror = () => { source.close(); resolve("nothing"); };
})"""
SOCKET = """(url) => new Promise((resolve) => {
  const socket = new WebSocket(url);
  socket.onopen = () => resolve("open");
  socket.onerror = () => resolve("nothing");
})"""

FETCHES: dict[str, dict[str, Any]] = {
    "as JSON": {"headers": {"Content-Type": "application/json"}},
    "as text, which needs no preflight": {"headers": {"Content-Type": "text/plain"}},
    "without CORS": {"mode": "no-cors", "headers": {"Content-Type": "text/plain"}},
    "with cookies": {"credentials": "include", "headers": {"Content-Type": "text/plain"}},
    "by a beacon's kind": {"keepalive": True, "mode": "no-cors"},
}


@pytest.fixture(params=["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://evil.example:{port}/"])
def stranger(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of another program on this computer, by address and by name, and one of the wide world."""
    context = browser.new_context()
    with site() as port:
        page = context.new_page()
        page.goto(request.param.format(port=port))
        yield page
    context.close()


@pytest.mark.parametrize("init", FETCHES.values(), ids=FETCHES.keys())
def test_it_can_not_ask_by_fetch(stranger: Page, counted: Counted, init: dict[str, Any]) -> None:
    read = stranger.evaluate(FETCH, [counted.address + CHAT, ASKED, init])
    assert read in ("nothing", "0 ")
    assert counted.generator.sampling == []


def test_it_can_not_ask_by_a_form(stranger: Page, counted: Counted) -> None:
    assert stranger.evaluate(FORM, [counted.address + CHAT, ASKED]) == "nothing"
    assert counted.generator.sampling == []


@pytest.mark.parametrize("name", ["img", "script", "iframe", "link", "object", "video"])
@pytest.mark.parametrize("path", ["/vault/search?q=tomatoes", "/", "/page/page.js"])
def test_it_can_not_embed(stranger: Page, counted: Counted, name: str, path: str) -> None:
    assert stranger.evaluate(TAG, [name, counted.address + path]) == "nothing"
    if name == "iframe":
        shown = stranger.frames[1].content()
        assert "Ask your notes" not in shown
        assert "omatoes" not in shown
    assert counted.generator.sampling == []


def test_it_can_not_listen(stranger: Page, counted: Counted) -> None:
    assert stranger.evaluate(EVENTS, f"{counted.address}{CHAT}") == "nothing"
    assert stranger.evaluate(EVENTS, f"{counted.address}/vault/search?q=tomatoes") == "nothing"
    assert stranger.evaluate(SOCKET, f"ws://127.0.0.1:{counted.port}/vault/events") == "nothing"
    assert counted.generator.sampling == []


def test_the_tries_would_succeed_where_nobody_guards(browser: Browser, building: Building, counted: Counted) -> None:
    """The control: the same tries from an origin that the settings allow do read and do cause a generation."""
    with site() as port:
        own = f"http://127.0.0.1:{port}"
        other = building.serve(counted_services(building, counted), GuardOptions(origins=(own,)))
        page = browser.new_page()
        page.goto(own)
        for init in (FETCHES["as JSON"], FETCHES["as text, which needs no preflight"]):
            assert "every" in page.evaluate(FETCH, [other + CHAT, ASKED, init])
        assert len(counted.generator.sampling) == 2
        page.evaluate(FORM, [other + CHAT, ASKED])
        assert len(counted.generator.sampling) == 3
        page.close()


def counted_services(building: Building, counted: Counted) -> Any:
    return building.speaking(counted.generator)


def test_a_name_that_is_bound_anew_to_this_computer_reads_nothing(browser: Browser, counted: Counted) -> None:
    """The page of ``evil.example``, and then its name leads here: to the browser all is one origin."""
    page = browser.new_page()
    evil = f"http://evil.example:{counted.port}"
    page.route(f"{evil}/", lambda route: route.fulfill(content_type="text/html", body="<title>evil</title>"))
    page.goto(f"{evil}/")
    assert page.evaluate("location.origin") == evil
    for path, init in [
        (CHAT, {}),
        (CHAT, FETCHES["as JSON"]),
        ("/vault/search?q=tomatoes", {"method": "GET", "body": None}),
    ]:
        read = page.evaluate(FETCH, [path, ASKED, init])
        assert read.startswith("403 "), "the browser lets it through, and the server does not"
        assert "every second morning" not in read
    assert counted.generator.sampling == []
    page.close()


STREAM = """async ([url, body, headers]) => {
  const json = { "Content-Type": "application/json" };
  const response = await fetch(url, { method: "POST", body, headers: { ...json, ...headers } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "", reads = 0;
  for (let next; !(next = await reader.read()).done; reads += 1) text += next.value;
  return { text, reads, id: response.headers.get("X-Request-Id") };
}"""
HEADERS = {"Authorization": "Bearer open sesame", "X-Request-Id": "from-a-page", "x-stainless-os": "Linux"}


def streamed(page: Page, address: str) -> None:
    answer = page.evaluate(STREAM, [address + CHAT, ASKED, HEADERS])
    said = [json.loads(line[6:]) for line in answer["text"].split("\n") if line.startswith("data: {")]
    text = "".join(choice["delta"].get("content") or "" for chunk in said for choice in chunk["choices"])
    assert text.startswith(ANSWER[:40])
    assert "is code." in text
    assert answer["text"].endswith("data: [DONE]\n\n")
    assert answer["reads"] > 3, "it comes as a stream"
    assert answer["id"] == "from-a-page", "exposed headers can be read"


def test_obsidian_on_android_streams(browser: Browser, locked: Counted) -> None:
    """``http://localhost`` is an origin that Chromium has itself: nothing is put in its place here."""
    page = browser.new_page()
    page.route("http://localhost/", lambda route: route.fulfill(content_type="text/html", body="<title>app</title>"))
    page.goto("http://localhost/")
    assert page.evaluate("origin") == "http://localhost"
    streamed(page, locked.address)
    assert len(locked.generator.sampling) == 1
    page.close()


@pytest.mark.parametrize("origin", ["app://obsidian.md", "capacitor://localhost"])
def test_obsidian_elsewhere_streams(browser: Browser, locked: Counted, origin: str) -> None:
    """Preflight, request and stream are Chromium's; a relay says ``app://obsidian.md`` for its page's origin."""
    with site() as port, renaming(locked.address, shown := f"http://obsidian.example:{port}", origin) as relay:
        page = browser.new_page()
        page.goto(shown)
        streamed(page, relay)
        assert len(locked.generator.sampling) == 1
        assert page.evaluate(FETCH, [locked.address + CHAT, ASKED, {}]) == "nothing", "under its own name it may not"
        page.close()


def test_the_server_was_there_all_the_time(counted: Counted) -> None:
    with httpx.Client(base_url=counted.address, trust_env=False) as client:
        assert client.post(CHAT, json=question(TOMATOES)).status_code == 200
    assert len(counted.generator.sampling) == 1
