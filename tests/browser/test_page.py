"""The page at ``/`` in a real browser, as people use it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Counted
from tests.server.building import TOMATOES


class Watched:
    """A page, and all that its console said; ``allowed`` are the statuses of answers that a test provokes."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(10_000)
    yield Watched(context.new_page())
    context.close()


def ask(page: Page, question: str) -> None:
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")


def answered(page: Page, number: int = 1) -> None:
    expect(page.locator("article[aria-busy=false]")).to_have_count(number)


def test_an_answer_streams_with_sources_that_lead_to_the_notes(watched: Watched, counted: Counted) -> None:
    page = watched.page
    page.goto(counted.address)
    expect(page.locator("h1")).to_have_text("Garden notes")
    expect(page.get_by_text("5 notes")).to_be_visible()
    ask(page, TOMATOES)
    expect(page.get_by_role("heading", name=TOMATOES)).to_be_visible()
    answered(page)
    expect(page.get_by_text("From your notes")).to_be_visible()
    sources = page.get_by_label("Sources").get_by_role("listitem")
    links = [link.get_attribute("href") for link in sources.get_by_role("link").all()]
    assert links == [
        "obsidian://open?vault=Garden%20notes&file=Garden%2FTomatoes%23Watering",
        "obsidian://open?vault=Garden%20notes&file=Garden%2FTomatoes%23Soil",
    ]
    passage = sources.first.locator("blockquote")
    expect(passage).to_be_hidden()
    sources.first.get_by_text("Passage").click()
    expect(passage).to_have_text("Water the tomatoes every second morning in summer.")
    page.get_by_role("link", name="Source 1").click()
    assert page.evaluate("document.querySelector(':target') === document.querySelector('.cited li')")
    expect(page.get_by_text("tokens/s")).to_have_text("36 tokens/s")
    assert watched.said == []


def test_markdown_is_shown_and_html_is_text(watched: Watched, counted: Counted) -> None:
    page = watched.page
    page.goto(counted.address)
    ask(page, TOMATOES)
    answered(page)
    answer = page.locator(".answer")
    assert answer.locator("strong").all_inner_texts() == ["every second morning"]
    assert answer.locator("em").all_inner_texts() == ["wait a day"]
    assert answer.locator("li").count() == 2
    assert answer.locator("pre").all_inner_texts() == ["every = 2  # days"]
    expect(answer).to_contain_text("""<img src=x onerror="document.title='taken over'"> is text""")
    assert answer.locator("img").count() == 0
    assert page.title() == "Garden notes"


def test_hostile_markdown_makes_nothing_but_text_and_links(watched: Watched, counted: Counted) -> None:
    page = watched.page
    page.goto(counted.address)
    made = page.evaluate(
        """async (text) => {
          const { render } = await import("/page/markdown.js");
          const box = document.createElement("div");
          box.append(render(text, { mark: () => null, note: () => null }));
          const nodes = [...box.querySelectorAll("*")];
          return [box.textContent, nodes.map((node) => node.tagName), nodes.flatMap((node) => node.href ?? [])];
        }""",
        "<script>alert(1)</script> [x](javascript:alert(1)) [y](https://example.org/a) [z](data:text/html,x)\n"
        "> <iframe src=/>\n\n# <b>h</b>\n```\n<i>\n" + "**" * 2000 + "[" * 2000,
    )
    assert set(made[1]) <= {"P", "A", "BLOCKQUOTE", "H3", "PRE", "CODE", "BR"}
    assert made[2] == ["https://example.org/a"]
    assert "<script>alert(1)</script> [x](javascript:alert(1))" in made[0]


def test_a_conversation_goes_on_and_can_begin_anew(watched: Watched, counted: Counted) -> None:
    page, asked = watched.page, counted.generator
    page.goto(counted.address)
    ask(page, TOMATOES)
    answered(page)
    ask(page, "And alone?")
    answered(page, 2)
    roles = [message.role for message in getattr(asked.prompts[-1].prompt, "messages", ())]
    assert roles == ["user", "assistant", "user"]
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator("article")).to_have_count(0)
    ask(page, "And alone?")
    answered(page)
    expect(page.get_by_text("Model alone")).to_be_visible()
    assert len(getattr(asked.prompts[-1].prompt, "messages", ())) == 1
    assert watched.said == []


def test_keys_begin_a_line_and_stop_the_answer(watched: Watched, counted: Counted) -> None:
    page = watched.page
    page.goto(counted.address)
    page.keyboard.type("endless")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("talk")
    assert counted.generator.sampling == []
    assert page.get_by_label("Your question").input_value() == "endless\ntalk"
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_contain_text("on and on")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.keyboard.press("Escape")
    answered(page)
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    ask(page, "And alone?")
    answered(page, 2)
    assert counted.generator.running == 0, "what was stopped is generated no more"


def test_what_no_note_says_is_underlined(watched: Watched, counted: Counted) -> None:
    page = watched.page
    page.goto(counted.address)
    ask(page, TOMATOES)
    answered(page)
    doubted = page.locator(".answer .unsupported")
    assert "".join(doubted.all_inner_texts()).startswith("In the heat of July look at the soil first: if it is damp")
    assert page.locator(".answer em .unsupported").all_inner_texts() == ["wait a day"], "Markdown goes on as before"
    expect(doubted.first).to_have_attribute("title", "No note says this")
    expect(page.get_by_text("No note says what is underlined.")).to_be_visible()
    ask(page, "And alone?")
    answered(page, 2)
    assert page.locator("article").last.locator(".unsupported").count() == 0, "nothing is to be held against no notes"
    assert watched.said == []


def test_places_count_code_points(watched: Watched, counted: Counted) -> None:
    page = watched.page
    page.goto(counted.address)
    shown = page.evaluate(
        """async ([text, places]) => {
          const { bounded, underline } = await import("/page/doubt.js");
          const box = document.createElement("p");
          box.append(bounded(text, places));
          underline(box);
          return [box.textContent, [...box.querySelectorAll(".unsupported")].map((node) => node.textContent)];
        }""",
        ["🐝🌼 fly.\ufdd0 They sing. 🎵 ok.", [{"start": 9, "end": 19}, {"start": 20, "end": 25}]],
    )
    assert shown == ["🐝🌼 fly.\ufffd They sing. 🎵 ok.", ["They sing.", "🎵 ok."]]


def test_search_shows_passages_and_their_lanes(watched: Watched, counted: Counted) -> None:
    page = watched.page
    page.goto(counted.address)
    expect(page.locator("h1")).to_have_text("Garden notes")
    page.get_by_role("tab", name="Ask").press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.type("compost")
    page.keyboard.press("Enter")
    first = page.locator("#hits li").first
    expect(first).to_contain_text("Loose loam with compost suits the plants.")
    expect(first.locator(".lane").first).to_contain_text("words")
    link = first.get_by_role("link").get_attribute("href")
    assert link == "obsidian://open?vault=Garden%20notes&file=Garden%2FTomatoes%23Soil"
    page.get_by_text("Words", exact=True).click()
    expect(page.locator("#found")).to_have_text("1 passages")
    page.get_by_label("Search words").fill("zyxwv")
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_contain_text("Nothing found")
    assert counted.generator.sampling == []
    assert watched.said == []


def test_the_token_is_asked_for_and_kept_for_the_tab(watched: Watched, locked: Counted) -> None:
    page = watched.page
    page.goto(locked.address)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("asks for a token")
    page.get_by_role("textbox", name="Token").fill("wrong")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("not right")
    page.get_by_role("textbox", name="Token").fill("open sesame")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Garden notes")
    page.reload()
    ask(page, TOMATOES)
    answered(page)
    expect(dialog).to_be_hidden()
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    assert {text for text in watched.said if "401" not in text} == set()


def test_an_address_alone_asks_nothing(watched: Watched, counted: Counted) -> None:
    watched.page.goto(f"{counted.address}/?q=tomatoes&question=tomatoes#tomatoes")
    expect(watched.page.locator("h1")).to_have_text("Garden notes")
    assert counted.generator.sampling == []


def test_what_goes_wrong_is_said(watched: Watched, counted: Counted) -> None:
    page = watched.page
    page.goto(counted.address)
    expect(page.locator("h1")).to_have_text("Garden notes")
    page.route("**/v1/chat/completions", lambda route: route.abort())
    ask(page, TOMATOES)
    expect(page.get_by_role("alert")).to_contain_text("Is it still running?")
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), list(product((1280, 400), ("light", "dark"))))
def test_it_looks_like_a_page(browser: Browser, counted: Counted, pictures: Path, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 860}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(counted.address)
    expect(page.locator("h1")).to_have_text("Garden notes")
    ask(page, TOMATOES)
    answered(page)
    picture = page.screenshot(path=pictures / f"page-{width}-{scheme}.png")
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), np.int16)
    background = pixels[0, 0]
    assert bool(background.mean() > 200) is (scheme == "light")
    different = (np.abs(pixels - background).sum(axis=2) > 30).mean()
    assert 0.02 < different < 0.5, "neither blank nor covered"
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out"
    for text in ("Water them", "From your notes"):
        box = page.get_by_text(text).first.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    context.close()
