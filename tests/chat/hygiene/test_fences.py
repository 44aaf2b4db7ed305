"""Code fences: none around the whole answer, none left open, none closed twice."""

from __future__ import annotations

import pytest

from tests.chat.hygiene.streams import delays, through
from vaultbridge.chat.hygiene.fences import CodeFilter, FenceCloser, WrapFilter
from vaultbridge.retrieve.fence import Fence

CODE = "```py\nx[0]\n\ny[1]\n```\n"


@pytest.mark.parametrize("opening", ["```markdown\n", "```md\n", "\n``` Markdown\n"])
@pytest.mark.parametrize("closing", ["```", "```\n", "```  \n\n"])
def test_an_answer_that_is_wrapped_whole_is_unwrapped(opening: str, closing: str) -> None:
    text = f"# Bees\n\nThey sleep.\n{CODE}More.\n"
    assert through(WrapFilter, opening + text + closing).rstrip() == text.rstrip()


def test_fences_within_survive_bare_ones_too() -> None:
    bare = "Code:\n```\nx\n```\nMore.\n"
    assert through(WrapFilter, f"```markdown\n{bare}```") == bare
    longer = f"{CODE}```\nx\n```\n\nMore.\n"
    assert through(WrapFilter, f"````md\n{longer}````\n") == longer


def test_what_follows_the_wrapping_is_shown_without_it() -> None:
    assert through(WrapFilter, "```markdown\nBees.\n```\n\nThat is all.") == "Bees.\n\nThat is all."


@pytest.mark.parametrize(
    "text", [CODE, "Bees.\n```markdown\n# A\n```\n", "```markdown", "``", "\n\n", "markdown\n", ""]
)
def test_what_is_not_wrapped_is_left_alone(text: str) -> None:
    assert through(WrapFilter, text) == text


def test_prose_is_not_held() -> None:
    assert delays(WrapFilter, "Markdown is a format for bees.") <= 1


# --- closing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("```py\nx = 1", "```py\nx = 1\n```"),
        ("```py\nx = 1\n", "```py\nx = 1\n```"),
        ("```py", "```py\n```"),
        ("````\n```\nx", "````\n```\nx\n````"),
        ("~~~\nx", "~~~\nx\n~~~"),
        ("> [!tip]\n> ```\n> x", "> [!tip]\n> ```\n> x\n> ```"),
        ("1. Do:\n   ```sh\n   ls", "1. Do:\n   ```sh\n   ls\n   ```"),
        ("- ```sh\n  ls", "- ```sh\n  ls\n  ```"),
    ],
)
def test_a_fence_that_is_left_open_is_closed(text: str, closed: str) -> None:
    assert through(FenceCloser, text) == closed


@pytest.mark.parametrize("text", [CODE, CODE.strip(), "A `tick` and ``` in a line", "- ```sh\n  ls\n  ```\nSo.", ""])
def test_a_closed_one_is_not(text: str) -> None:
    assert through(FenceCloser, text) == text


# --- an answer in code ------------------------------------------------------------------------------------------------


def code(marks: str = "```") -> CodeFilter:
    return CodeFilter(Fence("", marks))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x = 1\n```\n\nThis sets x.", "x = 1\n```"),
        ("x = 1\n```", "x = 1\n```"),
        ("x = 1\n", "x = 1\n"),
        ("x = '```'\ny\n``\n```js\n````\nNo.", "x = '```'\ny\n``\n```js\n````"),
    ],
)
def test_code_ends_with_its_closing_fence(text: str, shown: str) -> None:
    assert through(code, text) == shown


def test_it_is_over_there() -> None:
    ended = code()
    ended.push("x\n```\n")
    assert ended.ended
    assert ended.push("more\n") == ended.finish() == ""


def test_a_longer_fence_is_closed_by_a_longer_one() -> None:
    assert through(lambda: code("````"), "x\n```\ny\n````\nz") == "x\n```\ny\n````"
