"""A Chromium, and servers whose generator counts what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.browsing import FLAGS, chromium, site
from tests.browser.hosting import Host, page_html, writing
from tests.server.building import Building, ScriptedGenerator, write_vault
from vaultbridge.core.dialogue import (
    Conversation,
    Event,
    Finished,
    GroundedPrompt,
    Piece,
    Sampling,
    Started,
    Timings,
    Usage,
)
from vaultbridge.server.guard import GuardOptions

ANSWER = """Water them **every second morning** in summer, at the foot of the plant and not over the leaves. [1]

- Loose loam with compost holds the water longer [2]
- In the heat of July look at the soil first: if it is damp two fingers deep, *wait a day* [9]

```python
every = 2  # days
```

<img src=x onerror="document.title='taken over'"> is text, and `[[Tomatoes]]` is code."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module: while Playwright runs, its event loop counts as running, and other tests want their own."""
    program = chromium()
    if program is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium; or set CHROMIUM)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def building(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Building]:
    root = tmp_path_factory.mktemp("browsing")
    building = Building(write_vault(root / "Garden notes"), root / "data")
    yield building
    building.close()


@dataclass(frozen=True, slots=True)
class Counted:
    """A server, and the generator behind it with all that it was asked."""

    address: str
    generator: ScriptedGenerator

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])


@pytest.fixture(scope="module")
def generator() -> ScriptedGenerator:
    """The model that the plugin talks to: what it says is asked for in the question."""
    return ScriptedGenerator(writing)


@pytest.fixture(scope="module")
def host(
    browser: Browser, building: Building, generator: ScriptedGenerator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    """A page that plays Obsidian for the plugin, before a server of ours; no error may be left in it."""
    html = page_html(tmp_path_factory.mktemp("plugin"))
    with site(html) as port:
        own = f"http://127.0.0.1:{port}"
        address = building.serve(building.speaking(generator), GuardOptions(origins=(own,)))
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(10_000)
        page = context.new_page()
        said: list[str] = []
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(own)
        yield Host(page, address, building.services.vault_id)
        context.close()
    assert said == []


@pytest.fixture
def counted(building: Building) -> Counted:
    return serving(building)


@pytest.fixture
def locked(building: Building) -> Counted:
    return serving(building, GuardOptions(token="open sesame"))


def serving(building: Building, options: GuardOptions | None = None) -> Counted:
    generator = ScriptedGenerator(answering)
    return Counted(building.serve(building.speaking(generator), options), generator)


async def answering(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    """A whole answer, in small pieces; one without notes, or without an end, to a question that asks for that."""
    assert isinstance(prompt.prompt, Conversation)
    question = prompt.prompt.messages[-1].text
    kept = () if "alone" in question else tuple(note.number for note in prompt.block.notes)
    yield Started(kept, (), 200)
    while "endless" in question:
        yield Piece("on and on ")
        await asyncio.sleep(0.01)
    text = ANSWER if kept else "That is not in your notes, but bees like lavender."
    for start in range(0, len(text), 7):
        yield Piece(text[start : start + 7])
        await asyncio.sleep(0.001)
    yield Finished("stop", Usage(200, 90), Timings(prefill_ms=180.0, decode_ms=2500.0))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are left: a folder of this run."""
    return tmp_path_factory.mktemp("pictures")
