"""The Obsidian plugin in a page of its own: a real editor, Obsidian's calls in memory, and a real server behind it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request

from tests.scenarios.serving import eventually
from tests.server.building import ScriptedGenerator
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

PLUGIN = Path(__file__).parents[2] / "obsidian-plugin"
FRAME_MS = 50
"""No task of the page may take longer, or typing stumbles."""
WRITTEN = "Water the tomatoes every second morning in summer. [1] Bees sing to them at night. Loose loam helps."
REWRITTEN = "Plant the basil in May, and water it every day."


def page_html(folder: Path) -> str:
    """The page's source, with the plugin built into it; skips the test without Node and the plugin's packages."""
    if shutil.which("node") is None or not (PLUGIN / "node_modules" / "esbuild").is_dir():
        pytest.skip("the plugin's packages are not installed (make plugin)")
    script = folder / "host.js"
    subprocess.run(["node", "esbuild.config.mjs", "host", str(script)], cwd=PLUGIN, check=True, timeout=120)
    styles = (PLUGIN / "tests/host/theme.css").read_text() + (PLUGIN / "styles.css").read_text()
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>host</title>'
        f"<style>{styles}</style><body><script>{script.read_text()}</script></body></html>"
    )


@dataclass(frozen=True, slots=True)
class Host:
    """The page's app; ``address`` is the server's."""

    page: Page
    address: str
    vault: str

    def start(self, notes: dict[str, str], **more: Any) -> None:
        """Begin anew with these notes; ``more`` may set ``data``, ``token``, ``language`` and ``device``."""
        device = {"address": self.address, "vault": self.vault, "welcomed": True} | more.pop("device", {})
        setup = {"name": "Garden notes", "notes": notes, "device": device} | more
        self.page.evaluate("setup => host.start(setup)", setup)

    def open(self, path: str, selected: str | None = None) -> None:
        """Open a note with the cursor at its end, or with a part of it selected."""
        self.page.evaluate("([path, selected]) => host.open(path, selected ?? undefined)", [path, selected])

    def run(self, command: str) -> bool:
        """Run a command of the plugin; whether it could be run."""
        return bool(self.page.evaluate("command => host.run(command)", command))

    @contextmanager
    def requests(self) -> Iterator[list[str]]:
        """The addresses of what the page asks for meanwhile."""
        made: list[str] = []

        def note(request: Request) -> None:
            made.append(request.url)

        self.page.on("request", note)
        yield made
        self.page.remove_listener("request", note)

    def unload(self) -> None:
        self.page.evaluate("host.unload()")

    @property
    def text(self) -> str:
        """The text of the note that is open, with ``|`` for the cursor."""
        return str(self.page.evaluate("host.text()"))

    def wait_for_text(self, part: str) -> None:
        self.page.wait_for_function("part => host.text().includes(part)", arg=part)

    @property
    def left(self) -> dict[str, Any]:
        """What of the plugin is in the page."""
        left: dict[str, Any] = self.page.evaluate("host.left()")
        return left


@contextmanager
def tasks(page: Page) -> Iterator[list[float]]:
    """What each task of the page took, in milliseconds of the processor: a busy machine is not the page's fault."""
    browser = page.context.browser
    assert browser is not None
    took: list[float] = []
    browser.start_tracing(page=page, categories=["toplevel", "disabled-by-default-devtools.timeline"])
    try:
        yield took
    finally:
        events = json.loads(browser.stop_tracing())["traceEvents"]
    names = {
        (event["pid"], event["tid"]): event["args"]["name"] for event in events if event.get("name") == "thread_name"
    }
    took.extend(
        event["tdur"] / 1000
        for event in events
        if event.get("name") == "ThreadControllerImpl::RunTask"
        and names.get((event["pid"], event["tid"])) == "CrRendererMain"
        and "tdur" in event
    )


NOTHING_LEFT = {
    "elements": 0,
    "extensions": 0,
    "commands": [],
    "tabs": 0,
    "views": 0,
    "listeners": [0, 0, 1],  # the metadata cache listens to the vault
}


def left_alone(generator: ScriptedGenerator) -> None:
    """Wait until it writes no more: what nobody reads is not generated."""
    eventually(lambda: generator.running == 0, "the generator has stopped")


def long_chat(turns: int) -> str:
    """The note of a chat with so many questions, each of them answered."""
    said = "Water them **every second morning**. [[Tomatoes#Watering|1]]\n\n- one\n- two\n\n```\ncode\n```"
    asked = (
        f"%% turn t{n} {f't{n - 1}' if n else '-'} done %%\n\n> [!question]\n> Question {n}\n\n{said}\n\n"
        "> [!quote]- 1\n> 1. [[Tomatoes#Watering]]"
        for n in range(turns)
    )
    return "---\ntype: vaultbridge-chat\n---\n\n" + "\n\n".join(asked) + "\n"


async def writing(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    """What a model would write: a text anew, words without an end, or an answer from the notes."""
    assert isinstance(prompt.prompt, Conversation)
    question = prompt.prompt.messages[-1].text
    kept = tuple(note.number for note in prompt.block.notes)
    yield Started(kept, (), 200)
    number = 0
    while "endless" in question:
        number += 1
        yield Piece(f"word{number} ")
        await asyncio.sleep(0.005)
    text = REWRITTEN if "<text>" in question else WRITTEN
    for start in range(0, len(text), 5):
        yield Piece(text[start : start + 5])
        await asyncio.sleep(0.002)
    yield Finished("stop", Usage(200, 40), Timings(prefill_ms=100.0, decode_ms=900.0))
