"""What is asked, of which notes."""

from __future__ import annotations

import pytest

from vaultbridge.core.dialogue import Continuation, Conversation, Message, Role
from vaultbridge.core.search import Scope
from vaultbridge.retrieve.query import TAIL_CHARACTERS, Question, read_question


def asked(*turns: str, scope: Scope | None = None) -> Question:
    """The question of a conversation that the user begins."""
    roles: list[Role] = ["user", "assistant"]
    messages = tuple(Message(roles[n % 2], (text,)) for n, text in enumerate(turns))
    return read_question(Conversation(messages), scope or Scope())


@pytest.mark.parametrize("text", ["How do bees find home?", "红烧肉怎么做？", "  spaced \n"])
def test_a_plain_question_is_itself(text: str) -> None:
    assert asked(text) == Question(text.strip(), Scope())


def test_a_completion_asks_with_its_end_too() -> None:
    assert read_question(Continuation("All of my bees"), Scope()).text == "All of my bees"


def test_without_a_user_nothing_is_asked() -> None:
    assert read_question(Conversation((Message("system", ("Be kind.",)),)), Scope()).text == ""
    assert read_question(Conversation((Message("user", ("  ",)),)), Scope()).text == ""


def test_of_a_long_text_the_end_is_the_question_begun_at_a_paragraph() -> None:
    text = "Beginning.\n\n" + "filler " * 300 + "\n\nWhat do nettles cure?"
    assert asked(text).text == "What do nettles cure?"


@pytest.mark.parametrize("unit", ["word ", "字", "line\n"])
def test_the_tail_is_short_and_stands_at_the_end(unit: str) -> None:
    text = (unit * 1000).strip()
    tail = asked(text).text
    assert 0 < len(tail) <= TAIL_CHARACTERS
    assert text.endswith(tail)
    if unit.isspace() is False and unit != "字":
        assert tail.startswith(unit.strip())


def test_the_note_that_is_edited_is_named_and_its_title_is_not_asked_for() -> None:
    question = asked("Title: Bees & Co\n\nWhere do they sleep?")
    assert (question.editing, question.text) == ("Bees & Co", "Where do they sleep?")
    assert asked("Where does Title: stand?").editing == ""


@pytest.mark.parametrize(
    "front",
    [
        "---\ntags: [a]\nauthor: me\n---\n",
        "---\r\ntags: [a]\r\n---\r\n",
        "---\n---\n",
        "Title: Note\n---\ntags: [a]\n---\n",
        "Title: Note\n\n---\ntags: [a]\n---\n",
    ],
)
def test_front_matter_is_not_part_of_the_question(front: str) -> None:
    assert asked(front + "Who stings?\n\n---\n\nAnd why?").text == "Who stings?\n\n---\n\nAnd why?"
    assert asked(front.rstrip("\r\n")).text == ""


# What Text Generator's default context looks like.
CONTEXT = "Title: Bees\n\t\nStarred Blocks: {starred}\n\t  \n{text}"


@pytest.mark.parametrize("starred", ["", "# Facts *\nBees sting.\n\n- They dance.\n# More *\nOf it.\n"])
def test_the_blocks_that_text_generator_adds_are_not_asked_for(starred: str) -> None:
    question = asked(CONTEXT.format(starred=starred, text="Where do they sleep?"))
    assert question == Question("Where do they sleep?", Scope(), "Bees")
    assert asked("Title: Bees\n\nStarred Blocks: \n\nWhere do they sleep?").text == "Where do they sleep?"


def test_what_stands_above_text_generators_limit_is_not_asked_for() -> None:
    text = CONTEXT.format(starred="", text="Old matter.\n***\nMore of it.\n\n***\n\nWhere do they sleep?")
    assert asked(text).text == "Where do they sleep?"
    assert asked(CONTEXT.format(starred="", text="Where?\n***\n")).text == "Where?\n***"
    assert asked("A rule:\n***\nIn a chat it is one.").text == "A rule:\n***\nIn a chat it is one."


# --- operators --------------------------------------------------------------------------------------------------------


def test_tags_and_folders_narrow_the_search_and_leave_the_text() -> None:
    question = asked('What stings? tag:#insect path:Garden/Wild path:"My notes"')
    assert question.text == "What stings?"
    assert question.scope == Scope(tags=("insect",), folders=("Garden/Wild", "My notes"))


def test_what_only_looks_like_an_operator_is_text() -> None:
    for text in ("hashtag:x in code", "tag: alone", "no path:"):
        assert asked(text) == Question(text, Scope())


@pytest.mark.parametrize(
    ("given", "said", "expected"),
    [
        (("Work",), "path:Work/Plans", ("Work/Plans",)),
        (("Work/Plans",), "path:Work", ("Work/Plans",)),
        (("Work", "Home"), "path:Home", ("Home",)),
        (("Work",), "path:Private", ("Work",)),
        (("Work",), "path:Workshop", ("Work",)),
        (("/",), "path:Work", ("Work",)),
        (("Work",), "", ("Work",)),
    ],
)
def test_a_text_never_sees_more_than_its_caller_lets_it(
    given: tuple[str, ...], said: str, expected: tuple[str, ...]
) -> None:
    assert asked(f"What is new? {said}", scope=Scope(folders=given)).scope.folders == expected
    tags = asked(f"What is new? {said.replace('path:', 'tag:')}", scope=Scope(tags=given)).scope.tags
    assert tags == expected


# --- follow-ups -------------------------------------------------------------------------------------------------------


def test_a_short_question_leans_on_the_turn_before_it() -> None:
    question = asked("How do bees live?", "They live in hives.", "And in winter?")
    assert "bees" in question.text
    assert question.text.endswith("And in winter?")


def test_a_follow_up_stays_in_the_scope_of_its_question() -> None:
    question = asked("Title: Old\n---\na: b\n---\nHow do bees live? tag:garden", "In hives.", "And in winter?")
    assert question == Question("How do bees live?\nAnd in winter?", Scope(tags=("garden",)))
    other = asked("How do bees live? tag:garden", "In hives.", "And ants? tag:forest")
    assert other.scope.tags == ("forest",)


def test_a_whole_question_stands_alone() -> None:
    assert asked("Old matter?", "Yes.", "What do the nettles in my garden cure?").text == (
        "What do the nettles in my garden cure?"
    )
    assert asked("老问题？", "是。", "红烧肉怎么做？").text == "红烧肉怎么做？"
