"""``python -m tests.browser.frames``: how smooth the plugin is in Chromium, by the clock on the wall.

The tests count what the page computes, which a busy machine does not change. This measures what a user would see, and
says something on a quiet machine only: the gaps between frames while somebody types, and how soon a long chat is there.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import typer
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.browsing import FLAGS, chromium, site
from tests.browser.hosting import FRAME_MS, Host, long_chat, page_html, writing
from tests.server.building import Building, ScriptedGenerator, write_vault
from vaultbridge.server.guard import GuardOptions

TYPED = "The quick brown fox jumps over the lazy dog, and writes it all down in a note. " * 3
KEY_MS = 30
NOTE = "# Talk\n\n" + "A paragraph of a note that is not short, with **strong** words and a [[Link]].\n\n" * 300
ENDLESS = "This is endless and "
TURNS = 100
OPENINGS = 10

GAPS = """() => {
  window.gaps = [];
  let last = 0;
  const frame = (now) => {
    if (last) window.gaps.push(now - last);
    last = now;
    if (window.gaps) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""
TAKE = "() => { const { gaps } = window; window.gaps = null; return gaps; }"
OPEN = """async (turns) => {
  const frame = () => new Promise(requestAnimationFrame);
  const began = performance.now();
  host.run("open-chat");
  while (document.querySelectorAll("article[aria-busy=false]").length < turns) await frame();
  await frame();
  return performance.now() - began;
}"""


def main() -> None:
    """Measure, and print a table."""
    program = chromium()
    if program is None:
        raise SystemExit("No Chromium is installed: set CHROMIUM, or install it (Debian: apt-get install chromium).")
    with opened(program) as host:
        typer.echo(f"{'typing':<44}{'frames':>8}{'median':>9}{'99 %':>9}{'longest':>9}{f'over {FRAME_MS}':>9}")
        host.start({"Talk.md": NOTE})
        host.open("Talk.md")
        report("and nothing else", typing(host.page))
        host.start({"Talk.md": NOTE + ENDLESS})
        host.open("Talk.md")
        host.page.keyboard.press("Control+j")
        host.wait_for_text("word20 ")
        host.page.evaluate("host.app.workspace.activeEditor.cm.dispatch({ selection: { anchor: 8 } })")
        report("while the model writes into the same note", typing(host.page))
        host.page.keyboard.press("Escape")
        host.start({"Talk.md": NOTE})
        host.open("Talk.md")
        host.run("chat")
        host.page.get_by_role("textbox", name="Ask your notes").fill(ENDLESS)
        host.page.keyboard.press("Enter")
        expect(host.page.locator(".vaultbridge-answer")).to_contain_text("word20 ")
        host.page.evaluate("host.app.workspace.activeEditor.cm.focus()")
        report("while an answer streams into the chat", typing(host.page))
        took = [opening(host) for _ in range(OPENINGS)]
        typer.echo(
            f"a chat of {2 * TURNS} messages opens in {statistics.median(took):.0f} ms (longest of {OPENINGS}: "
            f"{max(took):.0f} ms)"
        )


@contextmanager
def opened(program: str) -> Iterator[Host]:
    """The page in Chromium, before a server whose model writes 200 words a second."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        origin = f"http://127.0.0.1:{stack.enter_context(site(page_html(folder)))}"
        building = Building(write_vault(folder / "Garden notes"), folder / "data")
        stack.callback(building.close)
        speaking = building.speaking(ScriptedGenerator(writing))
        address = building.serve(speaking, GuardOptions(origins=(origin,)))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        stack.callback(browser.close)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(origin)
        yield Host(page, address, building.services.vault_id)


def typing(page: Page) -> list[float]:
    """The milliseconds between frames while somebody types."""
    page.evaluate(GAPS)
    page.keyboard.type(TYPED, delay=KEY_MS)
    gaps: list[float] = page.evaluate(TAKE)
    return gaps


def opening(host: Host) -> float:
    """The milliseconds from the command to the frame in which a long chat is there."""
    host.start({"Chats/Long.md": long_chat(TURNS)})
    host.open("Chats/Long.md")
    return float(host.page.evaluate(OPEN, 20))


def report(what: str, gaps: list[float]) -> None:
    """Print one line."""
    *_, most = statistics.quantiles(gaps, n=100)
    over = sum(gap > FRAME_MS for gap in gaps)
    typer.echo(f"{what:<44}{len(gaps):>8}{statistics.median(gaps):>9.1f}{most:>9.1f}{max(gaps):>9.1f}{over:>9}")


if __name__ == "__main__":
    main()
