"""What is asked, of which notes."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultbridge.core.dialogue import Continuation, Conversation, Message, Role
from vaultbridge.core.search import Scope
from vaultbridge.retrieve.query import TAIL_CHARACTERS, Question, read_question

NOW = datetime(2024, 3, 21, 15, 30, tzinfo=timezone.utc)


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


# --- operators ------------------------------------------------------------------------------------------------------


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


# --- follow-ups -----------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    "follow_up",
    [
        "那冬天呢？",
        "它们在哪里睡觉？",
        "冬天呢？",
        "为什么？",
        "一共有多少？",
        "What do they eat while it is cold outside?",
        "How does one do that?",
        "and which hive is the warmest one",
    ],
)
def test_what_points_back_is_completed(follow_up: str) -> None:
    assert asked("蜜蜂住在哪里？", "蜂箱。", follow_up).text == f"蜜蜂住在哪里？\n{follow_up}"


def test_a_chain_of_follow_ups_is_read_to_its_beginning() -> None:
    question = asked("How do honey bees live in winter?", "Well.", "And ants?", "Too.", "And wasps?")
    assert question.text == "How do honey bees live in winter?\nAnd ants?\nAnd wasps?"


# --- names, tags, phrases, exclusions ---------------------------------------------------------------------------------


def test_a_file_is_a_part_of_a_name() -> None:
    assert asked('What is new? file:plan file:"Bee log"').scope == Scope(names=("plan", "Bee log"))
    given = Scope(names=("Plan",))
    assert asked("What? file:plan-2024", scope=given).scope.names == ("plan-2024",)
    assert asked("What? file:secret", scope=given).scope.names == ("Plan",)


@pytest.mark.parametrize(
    ("text", "left", "tags"),
    [
        ("what stings? #insect/bee", "what stings?", ("insect/bee",)),
        ("#insect what stings?", "what stings?", ("insect",)),
        ("蜜蜂怎么过冬 #昆虫", "蜜蜂怎么过冬", ("昆虫",)),
        ("what does #insect mean here", "what does #insect mean here", ()),
        ("how do I use #insect?", "how do I use #insect?", ()),
        ("is C# used", "is C# used", ()),
        ("issue #42", "issue #42", ()),
        ("#insect", "#insect", ()),
        ("# Heading", "# Heading", ()),
    ],
)
def test_a_hashtag_is_an_operator_at_the_ends_only(text: str, left: str, tags: tuple[str, ...]) -> None:
    question = asked(text)
    assert (question.text, question.scope.tags) == (left, tags)


@pytest.mark.parametrize(
    ("text", "left", "without"),
    [
        ("bees in winter -honey", "bees in winter", ("honey",)),
        ('bees -"royal jelly" -honey', "bees", ("royal jelly", "honey")),
        ("bees -[[Bee log]]", "bees", ("Bee log",)),
        ("蜜蜂 -蜂蜜罐", "蜜蜂", ("蜂蜜罐",)),
        ("what does ls -all dir do", "what does ls -all dir do", ()),
        ("how do I use gcc -Wall?", "how do I use gcc -Wall?", ()),
        ("tar -v", "tar -v", ()),
        ("well-known", "well-known", ()),
        ("-honey", "-honey", ()),
        ("- honey\n- bees -jelly", "- honey\n- bees -jelly", ()),
    ],
)
def test_exclusions_stand_at_the_end(text: str, left: str, without: tuple[str, ...]) -> None:
    question = asked(text)
    assert (question.text, question.without) == (left, without)


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ('who wrote "the bees dance"?', ("the bees dance",)),
        ("“八字舞”是什么？", ("八字舞",)),
        ("「蜂の舞」とは", ("蜂の舞",)),
        ('a 5" pipe and a 6" pipe', ()),
        ('one "open quote', ()),
        ('"  "', ()),
        ('He said "no".\nShe said "yes".', ()),
    ],
)
def test_phrases_are_quoted_and_stay_in_the_text(text: str, phrases: tuple[str, ...]) -> None:
    question = asked(text)
    assert (question.text, question.phrases) == (text, phrases)


def test_a_draft_holds_no_operators_of_a_search() -> None:
    question = read_question(Continuation('He wrote notes last week, "all of them" -every'), Scope(), NOW)
    assert question == Question('He wrote notes last week, "all of them" -every', Scope())


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "notes from last week",
        "Which notes did I write last week?",
        "what did I write last week",
        "上周写的笔记",
        "上周我写了什么？",
        "上周的笔记里有什么",
    ],
)
def test_a_question_about_the_time_of_notes_looks_at_no_others(text: str) -> None:
    question = read_question(Conversation((Message("user", (text,)),)), Scope(), NOW)
    assert question.period is not None
    assert (question.scope.since, question.scope.until) == (question.period.since, question.period.until)
    assert question.text == text


@pytest.mark.parametrize(
    "text",
    [
        "What happened to the bees last week?",
        "Which notes mention last week?",
        "What did I write on 2024-03-14?",
        "notes from 2024-03-14",
        "上周蜜蜂怎么了？",
        "关于上周的笔记",
        "2024年3月14日写了什么",
    ],
)
def test_any_other_time_only_says_what_comes_first(text: str) -> None:
    question = read_question(Conversation((Message("user", (text,)),)), Scope(), NOW)
    assert question.period is not None
    assert question.scope == Scope()
    assert question.text == text


def test_without_a_clock_dates_are_words() -> None:
    assert asked("notes from last week") == Question("notes from last week", Scope())


_PARTS = st.sampled_from(
    [
        "tag:a",
        "tag:b/c",
        "#a",
        "path:W/x",
        "path:",
        "file:pl",
        "-bee",
        '"a phrase"',
        "notes from last week",
        "上周写的",
        "what?",
        "它",
        " ",
    ]
)
_TEXTS = st.lists(st.one_of(st.text(max_size=30), st.lists(_PARTS).map(" ".join)), min_size=1, max_size=5)
_GIVEN = Scope(("W",), ("b",), names=("plan",), since=1_710_000_000.0, until=1_710_500_000.0)


@given(_TEXTS)
def test_no_text_raises_or_sees_more_than_its_caller_lets_it(turns: list[str]) -> None:
    messages = tuple(Message("assistant" if n % 2 else "user", (text,)) for n, text in enumerate(turns))
    scope = read_question(Conversation(messages), _GIVEN, NOW).scope
    assert all(f"{folder}/".startswith("W/") for folder in scope.folders)
    assert all(f"{tag}/".startswith("b/") for tag in scope.tags)
    assert all("plan" in name.casefold() for name in scope.names)
    assert scope.folders and scope.tags and scope.names
    assert scope.since is not None and scope.since >= 1_710_000_000.0
    assert scope.until is not None and scope.until <= 1_710_500_000.0
    assert (scope.notes, scope.exclude) == ((), ())
