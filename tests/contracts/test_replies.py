"""How models write thoughts and calls, after their published formats, and how that is read."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.templates import CHATML, GEMMA3, HERMES
from vaultbridge.backends.chat_template import ChatTemplate
from vaultbridge.backends.gemma_template import GEMMA4
from vaultbridge.core.dialogue import Conversation, Message, Piece, Tool
from vaultbridge.core.ports import ReplyReader

TOOLS = (
    Tool("get_weather", "The weather", {"type": "object", "properties": {"city": {}, "days": {}}}),
    Tool("search", "Notes"),
)
ASKED = (Message("user", ("How is the weather?",)),)
STYLES = {source: ChatTemplate(source, "", "").style for source in (CHATML, GEMMA3, GEMMA4, HERMES)}

Told = tuple[str, str]
"""A stretch of an answer: ``answer``, ``reasoning`` or the index and name of a call, and its text."""


def reader(template: str, tools: Sequence[Tool] = TOOLS, *, parallel: bool = True, inside: bool = False) -> ReplyReader:
    prompt = Conversation(ASKED, tuple(tools), parallel_calls=parallel)
    return STYLES[template].reader(prompt, inside=inside)


def told(pieces: Sequence[Piece]) -> list[Told]:
    """What was said, whatever pieces it came in."""
    stretches: list[Told] = []
    for piece in pieces:
        assert (piece.call is not None) == (piece.kind == "tool_call")
        kind = f"{piece.call.index} {piece.call.name}" if piece.call else piece.kind
        if stretches and stretches[-1][0] == kind:
            stretches[-1] = kind, stretches[-1][1] + piece.text
        else:
            stretches.append((kind, piece.text))
    return stretches


def read(reader: ReplyReader, *chunks: str) -> list[Told]:
    return told([*(piece for chunk in chunks for piece in reader.push(chunk)), *reader.finish()])


CALL = '{"city": "Paris \\"}", "days": 3}'
OTHER = '{"query": ["a", {"b": null}]}'
HERMES_CALL = f'<tool_call>\n{{"name": "get_weather", "arguments": {CALL}}}\n</tool_call>'
HERMES_OTHER = f'<tool_call>\n{{"name": "search", "arguments": {OTHER}}}\n</tool_call>'

JSON_ANSWERS: dict[str, tuple[str, list[Told]]] = {
    "hermes": (HERMES_CALL, [("0 get_weather", CALL)]),
    "text before and after": (
        f"Let me look.\n\n{HERMES_CALL}\nThere.",
        [("answer", "Let me look."), ("0 get_weather", CALL), ("answer", "There.")],
    ),
    "several": (f"{HERMES_CALL}\n{HERMES_OTHER}\n", [("0 get_weather", CALL), ("1 search", OTHER)]),
    "gemma 3, bare": (f'{{"name": "get_weather", "parameters": {CALL}}}', [("0 get_weather", CALL)]),
    "gemma 3, fenced": (
        f'```json\n{{"name": "get_weather", "parameters": {CALL}}}\n```\n',
        [("0 get_weather", CALL)],
    ),
    "a list in a fence": (
        f'```json\n[{{"name": "get_weather", "parameters": {CALL}}}, {{"name": "search", "parameters": {{}}}}]\n```',
        [("0 get_weather", CALL), ("1 search", "{}")],
    ),
    "gemma 3, as python": (
        '[get_weather(city="Paris", days=3), search(query=["a", True, None])]',
        [("0 get_weather", '{"city": "Paris", "days": 3}'), ("1 search", '{"query": ["a", true, null]}')],
    ),
    "python without names": (
        "```tool_code\nget_weather('Par)is', days=3)\n```",
        [("0 get_weather", '{"city": "Par)is", "days": 3}')],
    ),
    "mistral": (f'[TOOL_CALLS][{{"name": "search", "arguments": {OTHER}}}]', [("0 search", OTHER)]),
    "arguments before the name": (
        '{"arguments": {"query": "x"}, "name": "search"}', [("0 search", '{"query": "x"}')]
    ),
    "as the API has it": (
        '{"type": "function", "function": {"name": "search", "arguments": "{\\"query\\": 1}"}}',
        [("0 search", '{"query": 1}')],
    ),
    "without arguments": ('{"name": "search"}', [("0 search", "{}")]),
    "an id behind": ('{"name": "search", "arguments": {}, "id": "x}"} done', [("0 search", "{}"), ("answer", "done")]),
    "cut short": ('<tool_call>{"name": "search", "arguments": {"query": "al', [("0 search", '{"query": "al')]),
    "two braces short": ('```json\n{"name": "search", "parameters": {"a": 1}\n```', [("0 search", '{"a": 1}')]),
    "broken inside": ('{"name": "search", "parameters": {"a": oops}}', [("0 search", '{"a": oops}')]),
}  # fmt: skip

NO_CALLS = [
    "Plain text, with [[links]], {braces} and `code`.\n",
    '<tool_call>\n{"name": "unknown", "arguments": {}}\n</tool_call>',
    '{"name": "unknown"}',
    '{"name": "search", "age": 3}',
    '{"name": "search"',
    '{"city": "Paris"}\n',
    "[get_weather](a link) and [search\n",
    '[get_weather(city=open("x"))]',
    "[search(query=1",
    "```python\nprint(1)\n```\n",
    "```json\n[[[[[\n```",
    "<tool_call>",
    "\n\n  ",
    '{"name": ["search"]}',
    '{"name": "search", "arguments": [1]}',
    '{"arguments": {"a": NaN}, "name": "search"}',
]

GEMMA4_ANSWERS: dict[str, tuple[str, list[Told]]] = {
    "one": (
        '<|tool_call>call:get_weather{city:<|"|>Paris<|"|>,days:3}<tool_call|>',
        [("0 get_weather", '{"city":"Paris","days":3}')],
    ),
    "nested": (
        '<|tool_call>call:search{a:[1,-2.5e3,true,null,{b:<|"|><|"|>}],c:{}}<tool_call|>',
        [("0 search", '{"a":[1,-2.5e3,true,null,{"b":""}],"c":{}}')],
    ),
    "what a text may hold": (
        '<|tool_call>call:search{q:<|"|>{"a"}, [b]:\n\\c<|"|>}<tool_call|>',
        [("0 search", json.dumps({"q": '{"a"}, [b]:\n\\c'}, separators=(",", ":")))],
    ),
    "several, with text": (
        "I look.<|tool_call>call:search{}<tool_call|><|tool_call>call:get_weather{days:1}<tool_call|>",
        [("answer", "I look."), ("0 search", "{}"), ("1 get_weather", '{"days":1}')],
    ),
    "a thought first": (
        "<|channel>thought\nHm, <b>.\n<channel|><|tool_call>call:search{}<tool_call|>",
        [("reasoning", "Hm, <b>."), ("0 search", "{}")],
    ),
    "an empty thought, and a stray mark": (
        "<|channel>thought\n<channel|>Yes.<channel|>", [("answer", "Yes.")]
    ),
    "as it is not supposed to be": (
        '<|tool_call>call:search{ "q" : Paris , <|"|>n<|"|>:None,}<tool_call|>',
        [("0 search", '{"q":"Paris","n":null}')],
    ),
    "an unknown tool": (
        "a <|tool_call>call:what{q:1}<tool_call|> b", [("answer", "a <|tool_call>call:what{q:1}<tool_call|> b")]
    ),
    "no call at all": ("<|tool_call>well<tool_call|>", [("answer", "<|tool_call>well<tool_call|>")]),
    "cut short": ('<|tool_call>call:search{q:<|"|>al', [("0 search", '{"q":"al')]),
    "broken": ("<|tool_call>call:search{q:]}<tool_call|> b", [("0 search", '{"q":]}'), ("answer", "b")]),
}  # fmt: skip


@pytest.mark.parametrize("answer", JSON_ANSWERS, ids=str)
@pytest.mark.parametrize("template", [CHATML, GEMMA3, HERMES], ids=["chatml", "gemma3", "hermes"])
def test_calls_in_json(template: str, answer: str) -> None:
    text, expected = JSON_ANSWERS[answer]
    assert read(reader(template), text) == expected


@pytest.mark.parametrize("text", NO_CALLS)
def test_what_only_looks_like_a_call_is_text_to_the_letter(text: str) -> None:
    assert "".join(said for kind, said in read(reader(CHATML), text) if kind == "answer") == text


@pytest.mark.parametrize("answer", GEMMA4_ANSWERS, ids=str)
def test_calls_of_gemma_4(answer: str) -> None:
    text, expected = GEMMA4_ANSWERS[answer]
    assert read(reader(GEMMA4), text) == expected


@pytest.mark.parametrize(
    ("inside", "text", "expected"),
    [
        (False, "<think>\n Hm. \n</think>\n\nYes.", [("reasoning", "Hm."), ("answer", "Yes.")]),
        (False, "\n<think></think>Yes.", [("answer", "Yes.")]),
        (False, "The tag <think> is </think> known.", [("answer", "The tag <think> is </think> known.")]),
        (False, "  Yes.\n", [("answer", "  Yes.\n")]),
        (False, "<thin", [("answer", "<thin")]),
        (False, "<think>Hm", [("reasoning", "Hm")]),
        (True, "Hm.\n</think>\n\nYes.", [("reasoning", "Hm."), ("answer", "Yes.")]),
        (
            True, f"Hm. {HERMES_CALL}\n</think>\n{HERMES_OTHER}",
            [("reasoning", f"Hm. {HERMES_CALL}"), ("0 search", OTHER)],
        ),
    ],
)  # fmt: skip
def test_thoughts_in_tags(inside: bool, text: str, expected: list[Told]) -> None:
    assert read(reader(HERMES, inside=inside), text) == expected


@pytest.mark.parametrize("text", [text for text, _ in (*JSON_ANSWERS.values(), *GEMMA4_ANSWERS.values())])
def test_without_tools_nothing_is_a_call(text: str) -> None:
    assert read(reader(CHATML, ()), text) == [("answer", text)]
    assert all(kind in ("answer", "reasoning") for kind, _ in read(reader(GEMMA4, ()), text))


ANSWERS: list[tuple[str, str]] = [
    *((HERMES, text) for text, _ in JSON_ANSWERS.values()),
    *((HERMES, f"<think>\nHm.\n</think>\n\n{text}") for text, _ in JSON_ANSWERS.values()),
    *((HERMES, text) for text in NO_CALLS),
    *((GEMMA4, text) for text, _ in GEMMA4_ANSWERS.values()),
]


@given(st.sampled_from(ANSWERS), st.lists(st.integers(1, 7)))
def test_an_answer_is_read_alike_in_whatever_chunks_it_comes(answer: tuple[str, str], sizes: list[int]) -> None:
    template, text = answer
    chunks, at = [], 0
    for size in [*sizes, len(text)]:
        chunks.append(text[at : at + size])
        at += size
    assert read(reader(template), *chunks) == read(reader(template), text)
    assert read(reader(template), *text) == read(reader(template), text)


@given(st.text(alphabet="<|tool_cal>{}[]\"`:,\\name search()=\n'1"), st.sampled_from([CHATML, GEMMA4, HERMES]))
def test_no_text_breaks_a_reader_and_chunks_do_not_matter(text: str, template: str) -> None:
    assert read(reader(template), *text) == read(reader(template), text)


def pushed(template: str, *chunks: str) -> list[list[Told]]:
    one = reader(template)
    return [told(one.push(chunk)) for chunk in chunks]


def test_arguments_stream_as_they_come() -> None:
    assert pushed(HERMES, "Yes", ". <tool", '_call>{"name": "search", "arguments"', ': {"q"', ': "a', 'b"}', "}") == [
        [("answer", "Yes")], [("answer", ".")], [], [("0 search", '{"q"')], [("0 search", ': "a')],
        [("0 search", 'b"}')], [],
    ]  # fmt: skip
    assert pushed(GEMMA4, "<|tool_call>call:sea", "rch{q:", '<|"|>a', "b<|", '"|>,') == [
        [], [("0 search", '{"q":')], [("0 search", '"a')], [("0 search", "b")], [("0 search", '"')],
    ]  # fmt: skip


def test_plain_text_is_held_back_no_longer_than_needed() -> None:
    assert pushed(HERMES, "Hello", " world", "!\n", "\n{", "so}") == [
        [("answer", "Hello")], [("answer", " world")], [("answer", "!")], [], [("answer", "\n\n{so}")]
    ]  # fmt: skip


def test_calls_have_ids_of_their_own_which_their_pieces_share() -> None:
    one = reader(HERMES)
    pieces = [piece for character in f"{HERMES_CALL}{HERMES_OTHER}" for piece in one.push(character)]
    ids = {piece.call.index: piece.call.id for piece in pieces if piece.call}
    assert len(set(ids.values())) == 2
    assert all(piece.call.id == ids[piece.call.index] for piece in pieces if piece.call)
    assert ids[0].startswith("call_")


@pytest.mark.parametrize(
    ("template", "text"),
    [(HERMES, f"{HERMES_CALL}\n{HERMES_OTHER}"), (GEMMA4, GEMMA4_ANSWERS["several, with text"][0])],
)
def test_one_call_may_be_all(template: str, text: str) -> None:
    one = reader(template, parallel=False)
    calls: list[Piece] = []
    rest = iter(text)
    while not one.over:
        calls += [piece for piece in one.push(next(rest)) if piece.call]
    assert next(rest)
    assert {piece.call.index for piece in calls if piece.call} == {0}
    assert one.finish() == []


HOSTILE = {
    "lists": "[" * 100_000,
    "objects": '{"arguments": ' * 5_000,
    "objects in lines": '{"arguments":\n' * 5_000,
    "closed ones": '{"arguments":\n' * 1_000 + "}" * 1_000,
    "fences": "```" * 20_000,
    "parentheses": "[search(" + "(" * 50_000 + ")" * 50_001,
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_text_in_little_time(hostile: str) -> None:
    assert read(reader(CHATML), hostile) == [("answer", hostile)]


def test_deeply_nested_arguments_are_handed_on() -> None:
    deep = "<|tool_call>call:search{q:" + "[" * 5_000 + "]" * 5_000 + "}<tool_call|>"
    ((kind, arguments),) = read(reader(GEMMA4), deep)
    assert kind == "0 search"
    assert arguments.startswith('{"q":[')


THOUGHT = "The user's secret: <b>42</b>\n\n- a list\n"


@given(st.lists(st.integers(1, 9)), st.sampled_from(["", "\n", "\n\n "]))
@pytest.mark.parametrize(
    ("template", "opening", "closing", "inside"),
    [
        (CHATML, "<think>", "</think>", False),
        (GEMMA3, "<think>\n", "\n</think>", False),
        (HERMES, "<think>", "</think>", False),
        (HERMES, "", "</think>", True),
        (GEMMA4, "<|channel>thought\n", "<channel|>", False),
    ],
)
@pytest.mark.parametrize("tools", [(), TOOLS], ids=["plain", "tools"])
def test_nothing_of_a_thought_is_said_wherever_the_stream_is_split(
    template: str, opening: str, closing: str, inside: bool, tools: Sequence[Tool], sizes: list[int], gap: str
) -> None:
    """What is streamed into a note is what is said, and nothing else: tests/chat/test_editor.py."""
    text = f"{opening}{THOUGHT}{closing}{gap}Forty-two."
    chunks, at = [], 0
    for size in [*sizes, len(text)]:
        chunks.append(text[at : at + size])
        at += size
    for pieces in (chunks, text):
        assert read(reader(template, tools, inside=inside), *pieces) == [
            ("reasoning", THOUGHT.strip()), ("answer", "Forty-two."),
        ]  # fmt: skip
