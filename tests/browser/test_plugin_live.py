"""The plugin before the server as users start it, with the starter models on a real vault."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.browsing import site
from tests.browser.hosting import NOTHING_LEFT, Host, page_html
from tests.live.starters import starter
from tests.scenarios.serving import COMMAND, eventually, free_port

ROOT = Path(__file__).parents[2]
TASKS = ROOT.parent / "shared" / "vaults" / "tasks-docs"
SAMPLE = ROOT / "docs" / "sample-vault"
VAULT, QUESTION, SOURCE = (
    (TASKS, "How do I postpone a task?", "Postponing")
    if TASKS.is_dir()
    else (SAMPLE, "When does the reading group meet?", "Reading group")
)
PATIENCE_MS = 180_000
"""The models share the processor with the browser."""
TRIES = 4

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]


@dataclass(slots=True)
class Live:
    """A server that can be ended and started again, on the same port and over the same index."""

    folder: Path
    origin: str
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        models = ("--model", "smollm2-135m-instruct", "--embedder", "all-minilm-l6-v2", "--context", "2048")
        place = ("--vault", str(VAULT), "--data", str(self.folder / "data"), "--port", str(self.port))
        with (self.folder / "serve.log").open("a") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "serve", *place, *models],
                env=os.environ | {"VAULTBRIDGE_SERVER__ORIGINS": json.dumps([self.origin])},
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)

    def told(self, path: str) -> Any:
        """The document at a path; None while nobody answers."""
        try:
            return httpx.get(self.address + path, trust_env=False, timeout=20).json()
        except httpx.TransportError:
            return None

    def wait_until_open(self) -> None:
        eventually(lambda: (self.told("/health") or {}).get("status") == "ok", "the server is open", 120)


@pytest.fixture(scope="module")
def live(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server, and a page of the origin that it lets in."""
    starter("smollm2-135m-instruct")
    starter("all-minilm-l6-v2")
    folder = tmp_path_factory.mktemp("live")
    with site(page_html(folder)) as port:
        live = Live(folder, f"http://127.0.0.1:{port}", free_port())
        live.start()
        try:
            live.wait_until_open()
            yield live
        finally:
            live.stop()


@pytest.fixture(scope="module")
def host(browser: Browser, live: Live) -> Iterator[Host]:
    page = browser.new_page()
    page.goto(live.origin)
    yield Host(page, live.address, live.told("/vault/status")["vault"]["id"])
    page.close()


@pytest.fixture(scope="module")
def notes() -> dict[str, str]:
    return {path.relative_to(VAULT).as_posix(): path.read_text() for path in VAULT.rglob("*.md")}


def test_a_question_is_answered_from_the_vault(host: Host, notes: dict[str, str]) -> None:
    page = host.page
    host.start(notes)
    # Notes are found by their words long before all of them are read for their meaning.
    expect(page.locator(".vaultbridge-status")).to_have_text(re.compile("indexing|loading|ready"))
    host.run("chat")
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    source = page.locator(".vaultbridge-sources").get_by_role("link").first
    for _ in range(TRIES):
        expect(page.locator("article[aria-busy=false]")).to_have_count(1, timeout=PATIENCE_MS)
        assert page.locator(".vaultbridge-answer").inner_text().strip()
        if source.count():
            break
        page.get_by_role("button", name="Answer again").click()
    else:
        pytest.skip("the starter model said nothing that its notes hold: it is a very small one")
    name = source.inner_text().split(" › ")[0]
    passage = page.locator(".vaultbridge-sources .vaultbridge-quote").first.inner_text()
    source.click()
    expect(page.locator(".vaultbridge-spotlight").first).to_be_visible()
    assert page.evaluate("host.app.workspace.getActiveFile().basename") == name
    lit = " ".join(page.locator(".vaultbridge-spotlight").all_inner_texts())
    assert " ".join(passage.split()[:4]) in " ".join(lit.split()), "the lines that are lit are the passage's"


def test_search_finds_the_note(host: Host, notes: dict[str, str]) -> None:
    host.start(notes)
    host.run("search")
    host.page.keyboard.type(QUESTION)
    expect(host.page.get_by_role("option").filter(has_text=SOURCE).first).to_be_visible(timeout=PATIENCE_MS)


def writing(host: Host, notes: dict[str, str]) -> str:
    """Have the model write at the end of a note until something of it is there; the note's text before."""
    before = f"# Draft\n\n{QUESTION}"
    host.start(notes | {"Draft.md": before})
    host.open("Draft.md")
    host.page.keyboard.press("Control+j")
    host.page.wait_for_function("length => host.text().length > length + 20", arg=len(before) + 1, timeout=PATIENCE_MS)
    return before


def test_generate_here_streams_is_stopped_and_undone(host: Host, notes: dict[str, str]) -> None:
    before = writing(host, notes)
    host.page.keyboard.press("Escape")
    expect(host.page.get_by_role("button", name="Accept")).to_be_visible()
    assert host.text.startswith(before)
    host.page.keyboard.press("Control+z")
    assert host.text == before + "|"


def test_unloaded_in_the_middle_it_leaves_nothing_behind(host: Host, live: Live, notes: dict[str, str]) -> None:
    before = writing(host, notes)
    host.unload()
    stopped = host.text
    assert stopped.startswith(before)
    assert host.left == NOTHING_LEFT
    eventually(lambda: "vaultbridge_admitted_requests 0.0" in metrics(live), "what nobody reads is written no more", 30)
    assert host.text == stopped
    host.page.keyboard.press("Control+z")
    assert host.text == before + "|"


def metrics(live: Live) -> str:
    return httpx.get(f"{live.address}/metrics", trust_env=False, timeout=20).text


def test_a_rewritten_selection_is_rejected_and_accepted(host: Host, notes: dict[str, str]) -> None:
    page, text = host.page, "The meeting were on monday, and everybody have came to late for it."
    host.start(notes | {"Draft.md": f"Before.\n\n{text}\n\nAfter."})
    host.open("Draft.md", text)
    proposed, same = page.locator(".vaultbridge-all"), page.get_by_text("The model would change nothing.")

    def rewrite() -> None:
        page.evaluate("document.querySelectorAll('.notice').forEach((notice) => notice.remove())")
        host.run("rewrite")
        page.get_by_role("option", name="Make it shorter").click()
        expect(proposed.or_(same).first).to_be_visible(timeout=PATIENCE_MS)

    for _ in range(TRIES):
        rewrite()
        if proposed.count():
            break
    else:
        pytest.skip("the starter model changed nothing: it is a very small one")
    assert text in host.text.replace("|", ""), "what is only proposed is not there"
    page.get_by_role("button", name="Reject", exact=True).first.click()
    if proposed.count():
        page.get_by_role("button", name="Reject all").click()
    assert text in host.text.replace("|", "")
    for _ in range(TRIES):
        host.open("Draft.md", text)
        rewrite()
        if proposed.count():
            break
    page.get_by_role("button", name="Accept all").click()
    written = host.text.replace("|", "")
    assert written.startswith("Before.\n\n")
    assert written.endswith("\n\nAfter.")
    assert text not in written
    page.keyboard.press("Control+z")
    assert text in host.text.replace("|", "")


def test_the_settings_choose_the_model(host: Host, live: Live, notes: dict[str, str]) -> None:
    host.start(notes)
    host.page.evaluate("host.settings()")
    writes = host.page.get_by_role("combobox", name="Writing")
    with host.page.expect_response("**/vault/roles"):
        writes.select_option("smollm2-135m-instruct")
    assert live.told("/vault/roles")["chat"]["chosen"] == "smollm2-135m-instruct"
    expect(host.page.get_by_text("In use: smollm2-135m-instruct.")).to_be_visible()
    expect(host.page.get_by_text("In use: all-minilm-l6-v2.")).to_be_visible()
    writes.select_option("")
    expect(writes).to_have_value("")


def test_why_a_note_is_not_there(host: Host, notes: dict[str, str]) -> None:
    host.start(notes | {"Draft.md": "Only in the editor."})
    host.open("Draft.md")
    host.page.locator(".vaultbridge-status").click()
    panel = host.page.get_by_role("dialog")
    expect(panel).to_contain_text("It is not indexed:")
    expect(panel).to_contain_text("Left out")


def test_a_server_that_ends_and_begins_again_is_seen(host: Host, live: Live, notes: dict[str, str]) -> None:
    status = host.page.locator(".vaultbridge-status")
    here = re.compile("indexing|loading|ready")
    host.start(notes | {"Draft.md": QUESTION})
    expect(status).to_have_text(here)
    live.stop()
    expect(status).to_have_text("Vaultbridge: offline", timeout=PATIENCE_MS)
    host.open("Draft.md")
    host.page.keyboard.press("Control+j")
    expect(host.page.get_by_text("Start the server, or check its address").first).to_be_visible()
    live.start()
    live.wait_until_open()
    expect(status).to_have_text(here, timeout=PATIENCE_MS)
    host.open("Draft.md")
    host.page.keyboard.press("Control+j")
    host.page.wait_for_function("length => host.text().length > length", arg=len(QUESTION) + 1, timeout=PATIENCE_MS)
    host.page.keyboard.press("Escape")
