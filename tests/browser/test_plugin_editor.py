"""The plugin's work in the editor, in a real browser with a real CodeMirror, before a real server."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.hosting import FRAME_MS, NOTHING_LEFT, REWRITTEN, Host, left_alone, tasks
from tests.server.building import ScriptedGenerator

PLAN = "# Plan\n\nHow the tomatoes in summer want to be watered: "
ENDLESS = "# Talk\n\nThis is endless and "


def test_generate_here_streams_as_one_step_of_the_history(host: Host, generator: ScriptedGenerator) -> None:
    host.start({"Garden/Plan.md": PLAN})
    host.open("Garden/Plan.md")
    host.page.keyboard.press("Control+j")
    host.wait_for_text("Loose loam helps.")
    expect(host.page.get_by_role("button", name="Accept")).to_be_visible()
    assert host.text.startswith(PLAN + "|Water the tomatoes every second morning"), "the cursor stays where it was"
    assert "[[Tomatoes#Watering" in host.text, "the text names where it comes from"
    host.page.keyboard.press("Control+z")
    assert host.text == PLAN + "|"
    expect(host.page.get_by_role("button", name="Accept")).to_have_count(0)
    host.page.keyboard.press("Control+y")
    host.wait_for_text("Loose loam helps.")


def test_the_note_itself_is_no_source(host: Host, generator: ScriptedGenerator) -> None:
    host.start({"Garden/Tomatoes.md": "Watering the tomatoes in summer, and their soil: "})
    host.open("Garden/Tomatoes.md")
    host.page.keyboard.press("Control+j")
    expect(host.page.get_by_role("button", name="Accept")).to_be_visible()
    sources = [note.source for note in generator.prompts[-1].block.notes]
    assert "Garden/Tomatoes.md" not in sources


def test_escape_stops_and_keeps_what_is_there(host: Host, generator: ScriptedGenerator) -> None:
    host.start({"Talk.md": ENDLESS})
    host.open("Talk.md")
    host.page.keyboard.press("Control+j")
    host.wait_for_text("word20 ")
    host.page.keyboard.press("Escape")
    expect(host.page.get_by_role("button", name="Accept")).to_be_visible()
    stopped = host.text
    host.page.wait_for_timeout(200)
    assert host.text == stopped
    left_alone(generator)
    host.page.keyboard.press("Control+z")
    assert host.text == ENDLESS + "|"


def test_undo_in_the_middle_takes_everything_back(host: Host, generator: ScriptedGenerator) -> None:
    host.start({"Talk.md": ENDLESS})
    host.open("Talk.md")
    host.page.keyboard.press("Control+j")
    host.wait_for_text("word20 ")
    host.page.keyboard.press("Control+z")
    assert host.text == ENDLESS + "|"
    host.page.wait_for_timeout(200)
    assert host.text == ENDLESS + "|"
    left_alone(generator)


def test_accepting_goes_on_behind_the_text(host: Host) -> None:
    host.start({"Garden/Plan.md": PLAN}, data={"sources": False})
    host.open("Garden/Plan.md")
    host.page.keyboard.press("Control+j")
    host.page.get_by_role("button", name="Accept").click()
    host.page.keyboard.type(" Mine.")
    assert "Loose loam helps. Mine.|" in host.text


def test_scrolling_and_typing_are_the_users_while_it_writes(host: Host) -> None:
    page = host.page
    host.start({"Talk.md": "First line\n\n" + "Some line\n\n" * 80 + ENDLESS})
    host.open("Talk.md")
    page.keyboard.press("Control+j")
    host.wait_for_text("word5 ")
    page.evaluate(
        """() => {
          const { cm } = host.app.workspace.activeEditor;
          cm.scrollDOM.scrollTop = 0;
          cm.dispatch({ selection: { anchor: 10 } });
        }"""
    )
    with tasks(page) as busy:
        page.keyboard.type(" that I type while the model writes", delay=15)
    assert host.text.startswith("First line that I type while the model writes|\n")
    assert page.evaluate("host.app.workspace.activeEditor.cm.scrollDOM.scrollTop") == 0
    page.keyboard.press("Escape")
    assert len(busy) > 10
    assert max(busy) < FRAME_MS


def test_a_slow_task_would_be_seen(host: Host) -> None:
    """The control for the measure of all tasks."""
    with tasks(host.page) as busy:
        host.page.evaluate(
            """ms => new Promise((resolve) => setTimeout(() => {
              let sum = 0;
              for (const end = performance.now() + 6 * ms; performance.now() < end;) sum += Math.sqrt(sum + 1);
              resolve(sum > 0);
            }))""",
            FRAME_MS,
        )
    assert max(busy) > FRAME_MS


def test_what_would_change_is_accepted_and_rejected(host: Host) -> None:
    host.start({"Basil.md": "Before.\n\nPlant the basil in April, and water it every week.\n\nAfter."})
    host.open("Basil.md", "Plant the basil in April, and water it every week.")
    assert host.run("rewrite")
    host.page.get_by_role("option", name="Improve the writing").click()
    expect(host.page.locator("ins")).to_have_text(["May", "day"])
    expect(host.page.locator(".vaultbridge-removed")).to_have_text(["April", "week"])
    host.page.get_by_role("button", name="Reject", exact=True).first.click()
    host.page.get_by_role("button", name="Accept", exact=True).first.click()
    expect(host.page.locator("ins")).to_have_count(0)
    assert "Plant the basil in April, and water it every day." in host.text.replace("|", "")
    host.page.keyboard.press("Control+z")
    assert "water it every week." in host.text.replace("|", "")


def test_all_changes_are_accepted_at_once(host: Host) -> None:
    text = "Plant the basil in April, and water it every week."
    host.start({"Basil.md": text})
    host.open("Basil.md", text)
    host.run("rewrite")
    host.page.get_by_role("option", name="Improve the writing").click()
    host.page.get_by_role("button", name="Accept all").click()
    assert host.text.replace("|", "") == REWRITTEN
    host.page.keyboard.press("Control+z")
    assert host.text.replace("|", "") == text


def test_unloaded_in_the_middle_it_leaves_nothing_behind(host: Host, generator: ScriptedGenerator) -> None:
    host.start({"Talk.md": ENDLESS})
    host.open("Talk.md")
    host.page.keyboard.press("Control+j")
    host.wait_for_text("word20 ")
    host.unload()
    stopped = host.text
    assert host.left == NOTHING_LEFT
    host.page.wait_for_timeout(200)
    assert host.text == stopped
    left_alone(generator)
    host.page.keyboard.press("Control+z")
    assert host.text == ENDLESS + "|", "what was written is one step of the history all the same"
