"""What tools force upon an answer: it is followed by a model that has never seen a tool, at a high temperature."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import llama_cpp
import pytest

from tests.contracts.templates import CHATML, GEMMA3, HERMES
from tests.live.starters import starter
from vaultbridge.backends.chat_template import ChatTemplate
from vaultbridge.backends.gemma_template import GEMMA4
from vaultbridge.backends.llama import LlamaDecoder
from vaultbridge.backends.llama_grammar import LlamaGrammar
from vaultbridge.backends.replies.styles import ReplyStyle
from vaultbridge.backends.tool_grammar import tool_grammar
from vaultbridge.core.dialogue import Conversation, Grammar, Message, Piece, Sampling, Tool
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.core.ports import Segment

LOOKUP = Tool(
    "look_up",
    "Look something up",
    {
        "type": "object",
        "$defs": {"place": {"enum": ["title", "body"]}},
        "properties": {
            "where": {"type": "array", "items": {"$ref": "#/$defs/place"}, "maxItems": 2},
            "limit": {"type": "integer"},
            "exact": {"type": "boolean"},
        },
        "required": ["where", "limit"],
        "additionalProperties": False,
    },
)
CLOSE = Tool("close", "", {"type": "object", "properties": {}})
OTHER = Tool(
    "other", "", {"$defs": {"place": {"const": 7}}, "properties": {"a": {"$ref": "#/$defs/place"}}, "required": ["a"]}
)
STYLES = {
    name: ChatTemplate(source, "", "").style
    for name, source in {"chatml": CHATML, "gemma3": GEMMA3, "gemma4": GEMMA4, "hermes": HERMES}.items()
} | {
    "mistral": ChatTemplate("{{ tools }}[TOOL_CALLS]", "", "").style,
    "llama": ChatTemplate("{{ tools }}", "", "").style,
}
HOT = Sampling(temperature=1.5, seed=5)


@pytest.fixture(scope="module")
def decoder() -> Iterator[LlamaDecoder]:
    decoder = LlamaDecoder(starter("smollm2-135m-instruct"), "smollm2", 1024, slots=1)
    yield decoder
    decoder.close()


def asked(*tools: Tool, required: bool = True, parallel: bool = True) -> Conversation:
    question = Message("user", ("Look in the title.",))
    return Conversation((question,), tools, call_required=required, parallel_calls=parallel)


def said(decoder: LlamaDecoder, grammar: Grammar | None, sampling: Sampling, most: int = 120) -> tuple[str, bool]:
    """What is said under a grammar, and whether it came to an end."""
    tokens, _ = decoder.render(asked())
    decoder.truncate(0, 0)
    decoder.decode([Segment(0, 0, tokens, outputs=1)])
    sampler = decoder.sampler(replace(sampling, grammar=grammar))
    row, answer = len(tokens) - 1, b""
    for count in range(most):
        token = sampler.sample(row)
        if decoder.is_end(token):
            return answer.decode(), True
        answer += decoder.token_bytes(token)
        decoder.decode([Segment(0, len(tokens) + count, [token], outputs=1)])
        row = 0
    return answer.decode(errors="replace"), False


def calls(style: ReplyStyle, prompt: Conversation, text: str) -> list[tuple[str, Any]]:
    """The calls of a text, which must be nothing but calls."""
    reader = style.reader(prompt, inside=False)
    pieces: list[Piece] = [*reader.push(text), *reader.finish()]
    assert all(piece.kind != "answer" for piece in pieces), text
    names = {piece.call.index: piece.call.name for piece in pieces if piece.call}
    return [
        (name, json.loads("".join(piece.text for piece in pieces if piece.call and piece.call.index == index)))
        for index, name in names.items()
    ]


def fits(arguments: Any) -> bool:
    """Whether arguments are what LOOKUP asks for."""
    return (
        {"where", "limit"} <= set(arguments) <= {"where", "limit", "exact"}
        and isinstance(arguments["where"], list)
        and set(arguments["where"]) <= {"title", "body"}
        and isinstance(arguments["limit"], int)
        and isinstance(arguments.get("exact", True), bool)
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", STYLES)
def test_a_required_call_is_a_valid_one(decoder: LlamaDecoder, name: str, seed: int) -> None:
    prompt = asked(LOOKUP)
    style = replace(STYLES[name], thoughts=None)
    text, ended = said(decoder, tool_grammar(style, prompt, inside=False), replace(HOT, seed=seed))
    assert ended, text
    ((tool, arguments),) = calls(style, prompt, text)
    assert tool == "look_up"
    assert fits(arguments)


def test_one_of_several_tools_is_called_each_by_its_own_schema(decoder: LlamaDecoder) -> None:
    prompt = asked(OTHER, LOOKUP, CLOSE, parallel=False)
    for seed in range(6):
        grammar = tool_grammar(STYLES["chatml"], prompt, inside=False)
        text, _ = said(decoder, grammar, replace(HOT, seed=seed))
        ((tool, arguments),) = calls(STYLES["chatml"], prompt, text)
        assert fits(arguments) if tool == "look_up" else arguments == ({"a": 7} if tool == "other" else {})


def accepted(decoder: LlamaDecoder, grammar: Grammar | None, text: str) -> bool:
    """Whether a grammar allows a whole answer."""
    assert grammar is not None
    vocabulary = llama_cpp.llama_model_get_vocab(decoder._model)
    followed = LlamaGrammar(vocabulary, grammar)
    try:
        for token in [*decoder.tokenize(text), llama_cpp.llama_vocab_eos(vocabulary)]:
            if not followed.allows(token):
                return False
            followed.accept(token)
        return True
    finally:
        followed.close()


CALLED = '<tool_call>\n{"name": "close", "arguments": {}}\n</tool_call>'


@pytest.mark.parametrize(
    ("inside", "answer", "fits"),
    [
        (True, f"Hm, </th or <tool_call>.\n</think>\n\n{CALLED}", True),
        (True, CALLED, False),
        (True, "Hm.</think>", False),
        (False, f"<think>Hm.</think>{CALLED}", True),
        (False, CALLED, True),
        (False, f"Well, {CALLED}", False),
        (False, f"{CALLED}\n{CALLED}", False),
    ],
)
def test_only_a_thought_may_stand_before_a_required_call(
    decoder: LlamaDecoder, inside: bool, answer: str, fits: bool
) -> None:
    assert accepted(decoder, tool_grammar(STYLES["hermes"], asked(CLOSE), inside=inside), answer) == fits


def test_several_tools_may_be_called_several_times(decoder: LlamaDecoder) -> None:
    answer = f"{CALLED}\n{CALLED}"
    assert accepted(decoder, tool_grammar(STYLES["chatml"], asked(CLOSE, LOOKUP), inside=False), answer)
    one = asked(CLOSE, LOOKUP, parallel=False)
    assert not accepted(decoder, tool_grammar(STYLES["chatml"], one, inside=False), answer)


@pytest.mark.parametrize(
    ("arguments", "fits"),
    [
        ('{t:<|"|>a <b> {"c"}\n<|" <|tool_call> d<|"|>}', True),
        ('{n:[-1,0.5],o:{x:[]},t:<|"|><|"|>}', True),
        ('{c:<|"|>one<|"|>,t:<|"|><|"|>}', True),
        ('{t:<|"|>x<|"|>,n:[]}', False),
        ('{c:<|"|>two<|"|>,t:<|"|>x<|"|>}', False),
        ("{t:x}", False),
        ("{}", False),
        ('{t:<|"|>x<|"|>,}', False),
    ],
)
def test_gemma_4_writes_what_the_schema_allows_in_its_own_way(
    decoder: LlamaDecoder, arguments: str, fits: bool
) -> None:
    properties = {
        "t": {"type": "string"}, "n": {"type": "array", "items": {"type": "number"}}, "o": {"type": "object"},
        "c": {"enum": ["one", 2]},
    }  # fmt: skip
    prompt = asked(Tool("say", "", {"type": "object", "properties": properties, "required": ["t"]}))
    grammar = tool_grammar(replace(STYLES["gemma4"], thoughts=None), prompt, inside=False)
    text = f"<|tool_call>call:say{arguments}<tool_call|>"
    assert accepted(decoder, grammar, text) == fits
    thoughtful = tool_grammar(STYLES["gemma4"], prompt, inside=False)
    assert accepted(decoder, thoughtful, f"<|channel>thought\nHm <chan.\n<channel|>{text}") == fits


def test_what_is_not_required_waits_for_the_mark_of_a_call(decoder: LlamaDecoder) -> None:
    prompt = asked(LOOKUP, required=False)
    grammar = tool_grammar(STYLES["chatml"], prompt, inside=False)
    assert grammar is not None
    free, _ = said(decoder, grammar, replace(HOT, temperature=0))
    assert free == said(decoder, None, replace(HOT, temperature=0))[0]


@pytest.mark.parametrize(
    ("inside", "answer", "forced"),
    [
        (False, "Yes. <tool_call>", True),
        (False, "<think>I use <tool_call> </think> so", False),
        (False, "<think>I use <tool_call> </think> so <tool_call>", True),
        (True, "I use <tool_call>", False),
        (True, "I think </think>\n<tool_call>", True),
    ],
)
def test_what_is_only_thought_forces_nothing(inside: bool, answer: str, forced: bool) -> None:
    grammar = tool_grammar(STYLES["hermes"], asked(CLOSE, required=False), inside=inside)
    assert grammar is not None
    found = re.search(grammar.triggers[0], answer)
    assert (found is not None) == forced
    assert not found or found.end() == len(answer)


@pytest.mark.parametrize("name", ["gemma3", "llama"])
def test_where_calls_have_no_mark_an_answer_is_free_unless_one_is_required(name: str) -> None:
    assert tool_grammar(STYLES[name], asked(CLOSE, required=False), inside=False) is None
    assert tool_grammar(STYLES[name], asked(CLOSE), inside=False) is not None
    assert tool_grammar(STYLES[name], asked(), inside=False) is None


BAD = [{"type": "nonsense"}, {"properties": []}, {"$ref": "https://example.org/schema"}, {"$ref": "#/nowhere"},
       {"type": "string", "pattern": "(?=a)"}]  # fmt: skip


@pytest.mark.parametrize("schema", BAD, ids=str)
def test_a_schema_that_cannot_be_forced_is_the_requests_fault(schema: dict[str, Any]) -> None:
    prompt = asked(Tool("bad", "", schema))
    with pytest.raises(InvalidRequest) as refused:
        tool_grammar(STYLES["chatml"], prompt, inside=False)
    assert refused.value.param == "tools"
    strict = replace(prompt, call_required=False, tools=(Tool("bad", "", schema, strict=True),))
    with pytest.raises(InvalidRequest):
        tool_grammar(STYLES["chatml"], strict, inside=False)
    assert tool_grammar(STYLES["chatml"], replace(prompt, call_required=False), inside=False) is None


def test_the_schema_is_left_as_it_was() -> None:
    before = json.dumps(LOOKUP.parameters)
    tool_grammar(STYLES["chatml"], asked(LOOKUP), inside=False)
    assert json.dumps(LOOKUP.parameters) == before


def test_a_decoder_forces_what_its_prompt_asks_for(decoder: LlamaDecoder) -> None:
    prompt = asked(LOOKUP)
    reply = decoder.reply(prompt)
    tokens, _ = decoder.render(prompt)
    assert "look_up" in b"".join(map(decoder.token_bytes, tokens)).decode()
    text, ended = said(decoder, reply.grammar, HOT)
    assert ended
    reader = reply.reader()
    pieces = [*reader.push(text), *reader.finish()]
    assert fits(json.loads("".join(piece.text for piece in pieces if piece.kind == "tool_call")))
    assert decoder.reply(asked()).grammar is None
