"""The plugin's chat, panes, search and states, in a real browser before a real server."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.browser.hosting import FRAME_MS, NOTHING_LEFT, Host, left_alone, long_chat, tasks
from tests.server.building import NOTES, TOMATOES, Building, ScriptedGenerator
from vaultbridge.server.guard import GuardOptions

VAULT = {path: text.decode() for path, text in NOTES.items() if path.endswith(".md") and path != "Latin.md"}
OPEN_MS = 300
"""How soon a chat of 200 messages is there."""


def chatting(host: Host) -> None:
    host.start(VAULT)
    host.open("Garden/Bees.md")
    host.run("chat")
    expect(host.page.get_by_role("textbox", name="Ask your notes")).to_be_focused()


def ask(host: Host, question: str) -> None:
    host.page.get_by_role("textbox", name="Ask your notes").fill(question)
    host.page.keyboard.press("Enter")


def answered(host: Host, number: int = 1) -> None:
    expect(host.page.locator("article[aria-busy=false]")).to_have_count(number)


def test_an_answer_streams_and_its_source_opens_the_note_at_its_lines(host: Host) -> None:
    chatting(host)
    ask(host, TOMATOES)
    answered(host)
    expect(host.page.locator(".vaultbridge-answer")).to_contain_text("every second morning in summer")
    expect(host.page.get_by_text("From your notes")).to_be_visible()
    host.page.get_by_role("link", name="Source 1").first.click()
    expect(host.page.locator(".vaultbridge-spotlight").first).to_contain_text("Tomatoes")
    expect(host.page.locator(".vaultbridge-spotlight", has_text="every second morning")).to_be_visible()
    assert host.text.startswith("|# Tomatoes")


def test_what_is_typed_is_read_before_it_is_asked(host: Host, generator: ScriptedGenerator) -> None:
    chatting(host)
    before = len(generator.warmed)
    with host.page.expect_response("**/vault/warm") as answer:
        host.page.keyboard.type("How often do I water the tomatoes")
    assert answer.value.json()["warmed"]
    assert len(generator.warmed) == before + 1


def test_an_answer_is_stopped_by_escape_and_made_again(host: Host, generator: ScriptedGenerator) -> None:
    chatting(host)
    ask(host, "endless talk on tomatoes")
    expect(host.page.locator(".vaultbridge-answer")).to_contain_text("word10 ")
    host.page.keyboard.press("Escape")
    answered(host)
    host.page.wait_for_timeout(200)
    left_alone(generator)
    host.page.get_by_role("button", name="Edit question").click()
    host.page.locator(".vaultbridge-question textarea").fill(TOMATOES)
    host.page.keyboard.press("Enter")
    expect(host.page.locator(".vaultbridge-branch")).to_have_text("2/2")
    answered(host)


def test_typing_in_a_note_while_an_answer_streams_stays_quick(host: Host) -> None:
    chatting(host)
    ask(host, "endless talk on tomatoes")
    expect(host.page.locator(".vaultbridge-answer")).to_contain_text("word10 ")
    host.page.locator(".cm-content").click()
    host.page.keyboard.press("Control+End")
    with tasks(host.page) as busy:
        host.page.keyboard.type(" typed while it talks", delay=15)
    assert host.text.endswith("typed while it talks|")
    assert max(busy) < FRAME_MS
    host.page.get_by_role("button", name="Stop").click()
    answered(host)


def test_a_chat_of_200_messages_opens_at_once(host: Host) -> None:
    host.start(VAULT | {"Chats/Long.md": long_chat(100)})
    host.open("Chats/Long.md")
    with tasks(host.page) as busy:
        host.run("open-chat")
        answered(host, 20)
    expect(host.page.get_by_role("heading", name="Question 99")).to_be_visible()
    assert sum(busy) < OPEN_MS
    host.page.get_by_role("button", name="Show earlier messages").click()
    answered(host, 40)


def test_related_notes_follow_the_note_that_is_open(host: Host) -> None:
    host.start(VAULT)
    host.run("related")
    host.open("Garden/Bees.md")
    expect(host.page.locator(".vaultbridge-hit").first).to_be_visible()
    hits = host.page.locator(".vaultbridge-hit a").all_inner_texts()
    assert not any(hit.startswith("Bees") for hit in hits)
    host.page.locator(".vaultbridge-hit", has_text="Tomatoes").get_by_role("link").first.click()
    expect(host.page.locator(".vaultbridge-spotlight").first).to_be_visible()


def test_search_opens_a_passage_at_its_place(host: Host) -> None:
    host.start(VAULT)
    host.run("search")
    host.page.keyboard.type("compost soil")
    first = host.page.get_by_role("option").first
    expect(first).to_contain_text("Loose loam with compost suits the plants.")
    host.page.keyboard.press("Enter")
    expect(host.page.locator(".vaultbridge-spotlight", has_text="Loose loam")).to_be_visible()


def test_a_server_that_goes_and_comes_back_is_seen(host: Host) -> None:
    status = host.page.locator(".vaultbridge-status")
    host.start(VAULT)
    expect(status).to_have_text("Vaultbridge: ready")
    host.page.route(f"{host.address}/**", lambda route: route.abort("connectionrefused"))
    host.page.evaluate("dispatchEvent(new Event('online'))")
    expect(status).to_have_text("Vaultbridge: offline")
    host.open("Garden/Bees.md")
    host.page.keyboard.press("Control+j")
    expect(host.page.get_by_text("Start the server, or check its address").first).to_be_visible()
    host.page.unroute(f"{host.address}/**")
    expect(status).to_have_text("Vaultbridge: ready")


def test_another_vault_is_not_asked_before_it_is_accepted(host: Host, generator: ScriptedGenerator) -> None:
    host.start(VAULT, device={"vault": ""})
    expect(host.page.locator(".vaultbridge-status")).to_have_text("Vaultbridge: other vault")
    asked = len(generator.prompts)
    host.open("Garden/Bees.md")
    host.page.keyboard.press("Control+j")
    expect(host.page.get_by_text("The server has another vault.").first).to_be_visible()
    assert len(generator.prompts) == asked
    host.page.locator(".vaultbridge-status").click()
    host.page.get_by_role("button", name="This is my vault").click()
    expect(host.page.locator(".vaultbridge-status")).to_have_text("Vaultbridge: ready")


def test_why_a_note_is_not_there(host: Host) -> None:
    host.start(VAULT)
    host.open("Private/Diary.md")
    host.page.locator(".vaultbridge-status").click()
    expect(host.page.get_by_role("dialog")).to_contain_text("It is not indexed: “Private/” in .vaultbridgeignore.")
    expect(host.page.locator(".vaultbridge-exclusions")).to_contain_text("“Private/” in .vaultbridgeignore (1)")


def test_the_server_is_asked_for_its_status_once(host: Host) -> None:
    with host.requests() as made, host.page.expect_response("**/vault/events"):
        host.start(VAULT)
        expect(host.page.locator(".vaultbridge-status")).to_have_text("Vaultbridge: ready")
        host.run("status")
        expect(host.page.get_by_role("dialog")).to_contain_text("5 notes")
    assert sum(url.endswith("/vault/status") for url in made) == 1


def test_links_and_tags_are_chosen_from_what_is_there(host: Host) -> None:
    host.start(VAULT | {"Plan.md": "# Plan\n\nThe tomatoes in summer, and the hive behind the shed: "})
    host.open("Plan.md")
    host.run("prompt-links")
    host.page.get_by_role("checkbox", name="[[Bees]]").check()
    host.page.get_by_role("checkbox", name="#insects").check()
    host.page.get_by_role("button", name="Add").click()
    host.wait_for_text("behind the shed: [[Bees]]")
    assert "insects" in host.page.evaluate("host.app.vault.getFileByPath('Plan.md').text")


def test_the_model_is_chosen_in_the_settings(host: Host, building: Building) -> None:
    host.start(VAULT)
    host.page.evaluate("host.settings()")
    writes = host.page.get_by_role("combobox", name="Writing")
    expect(writes.locator("option")).to_have_text(["As the server is set", "fakes"])
    with host.page.expect_response("**/vault/roles"):
        writes.select_option("fakes")
    assert building.services.roles.chosen("chat") == "fakes"
    with host.page.expect_response("**/vault/roles"):
        writes.select_option("")
    assert building.services.roles.chosen("chat") == ""


def test_a_token_is_set_and_a_wrong_one_is_said(host: Host, browser: Browser, building: Building) -> None:
    origin = host.page.evaluate("origin")
    address = building.serve(options=GuardOptions(origins=(origin,), token="open sesame"))
    host.start(VAULT, device={"address": address})
    expect(host.page.locator(".vaultbridge-status")).to_have_text("Vaultbridge: token needed")
    host.page.evaluate("host.settings()")
    host.page.get_by_role("textbox", name="Token").fill("open sesame")
    expect(host.page.locator(".vaultbridge-status")).to_have_text("Vaultbridge: ready")


def test_unloaded_in_the_middle_of_everything_it_leaves_nothing_behind(
    host: Host, generator: ScriptedGenerator
) -> None:
    chatting(host)
    host.run("related")
    ask(host, "endless talk on tomatoes")
    expect(host.page.locator(".vaultbridge-answer")).to_contain_text("word10 ")
    host.page.locator(".vaultbridge-status").click()
    host.unload()
    expect(host.page.locator("[class*=vaultbridge]")).to_have_count(0)
    assert host.left == NOTHING_LEFT
    with host.requests() as made:
        host.page.wait_for_timeout(500)
    assert made == []
    left_alone(generator)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_can_be_looked_at(host: Host, theme: str, pictures: Path) -> None:
    page = host.page
    page.set_viewport_size({"width": 1100, "height": 640})

    def look(name: str) -> None:
        picture = page.screenshot(path=pictures / f"{name}-{theme}.png", animations="disabled")
        shades = np.asarray(Image.open(io.BytesIO(picture)).convert("L"))
        # Not all of one shade, and dark where it is to be dark.
        assert shades.std() > 5
        assert (np.median(shades) < 128) == (theme == "dark")

    host.start(VAULT | {"Garden/Plan.md": "# Plan\n\nHow the tomatoes in summer want to be watered: "})
    page.evaluate("theme => document.body.classList.add(`theme-${theme}`)", theme)
    host.open("Garden/Plan.md")
    host.run("chat")
    ask(host, TOMATOES)
    answered(host)
    host.open("Garden/Plan.md")
    page.keyboard.press("Control+j")
    expect(page.get_by_role("button", name="Accept")).to_be_visible()
    look("writing-and-chat")
    host.start(VAULT | {"Basil.md": "# Basil\n\nPlant the basil in April, and water it every week."})
    page.evaluate("theme => document.body.classList.add(`theme-${theme}`)", theme)
    host.run("related")
    host.open("Basil.md", "Plant the basil in April, and water it every week.")
    host.run("rewrite")
    page.get_by_role("option", name="Improve the writing").click()
    expect(page.locator("ins")).to_have_count(2)
    expect(page.locator(".vaultbridge-hit").first).to_be_visible()
    look("rewriting-and-related")
    host.run("search")
    page.keyboard.type("tomatoes soil")
    expect(page.get_by_role("option").first).to_be_visible()
    look("search")
    page.keyboard.press("Escape")
    host.run("prompt-links")
    expect(page.get_by_role("checkbox").first).to_be_visible()
    expect(page.get_by_text("The model chooses which of them fit…")).to_have_count(0)
    look("links")
    page.keyboard.press("Escape")
    host.run("status")
    page.get_by_text("in .vaultbridgeignore").scroll_into_view_if_needed()
    look("status")
    page.keyboard.press("Escape")
    host.run("set-up")
    expect(page.get_by_role("dialog")).to_contain_text("All notes are indexed")
    look("set-up")
    page.keyboard.press("Escape")
    page.evaluate("host.settings()")
    page.get_by_role("combobox", name="Ranking").scroll_into_view_if_needed()
    look("settings")
