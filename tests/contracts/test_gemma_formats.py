"""How every generation of Gemma is spoken to, and how it calls tools; expectations after Google's documentation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.contracts.templates import GEMMAS
from tests.contracts.vendored import vendored
from vaultbridge.backends.chat_template import ChatTemplate
from vaultbridge.backends.gemma_template import GEMMA, GEMMA4, own_template
from vaultbridge.core.dialogue import Conversation, Message, Tool, ToolCall

SYSTEM = Message("system", ("Only reply like a pirate.",))
ASKED = Message("user", ("\n What is the answer to life? \n",))
ANSWERED = Message("assistant", ("Arrr, 'tis 42.",), reasoning="Pirates say arrr.")
AGAIN = Message("user", ("Why?",))
WEATHER = Tool(
    "get_weather",
    "The weather.",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where"},
            "days": {"type": "integer"},
            "unit": {"type": "string", "enum": ["C", "F"]},
        },
        "required": ["city"],
    },
)
HOW = Message("user", ("How is it in Paris?",))
RESULT = Message("tool", ('{"degrees": 12, "sky": "clear"}',), tool_call_id="1")
OLD, NEW = ("gemma", "gemma2", "gemma3", "gemma3n"), ("gemma4",)
SAID = {
    **dict.fromkeys(OLD, '{"name": "get_weather", "parameters": {"city": "Paris", "days": 3}}'),
    "gemma4": '<|tool_call>call:get_weather{city:<|"|>Paris<|"|>,days:3}<tool_call|>',
}


def rendered(source: str, prompt: Conversation) -> str:
    return "".join(stretch.text for stretch in ChatTemplate(source, "<bos>", "<eos>").render(prompt))


@pytest.mark.parametrize("generation", OLD)
def test_what_the_system_says_stands_in_front_of_the_first_question(generation: str) -> None:
    assert rendered(GEMMAS[generation], Conversation((SYSTEM, ASKED, ANSWERED, AGAIN))) == (
        "<bos><start_of_turn>user\nOnly reply like a pirate.\n\nWhat is the answer to life?<end_of_turn>\n"
        "<start_of_turn>model\nArrr, 'tis 42.<end_of_turn>\n"
        "<start_of_turn>user\nWhy?<end_of_turn>\n<start_of_turn>model\n"
    )


def test_gemma_4_has_a_system_turn_and_forgets_what_it_thought() -> None:
    assert rendered(GEMMA4, Conversation((SYSTEM, ASKED, ANSWERED, AGAIN))) == (
        "<bos><|turn>system\nOnly reply like a pirate.<turn|>\n"
        "<|turn>user\nWhat is the answer to life?<turn|>\n<|turn>model\nArrr, 'tis 42.<turn|>\n"
        "<|turn>user\nWhy?<turn|>\n<|turn>model\n<|channel>thought\n<channel|>"
    )


def test_gemma_4_thinks_where_it_is_told_to() -> None:
    assert rendered(GEMMA4, Conversation((ASKED,), template_options={"enable_thinking": True})) == (
        "<bos><|turn>system\n<|think|>\n<turn|>\n<|turn>user\nWhat is the answer to life?<turn|>\n<|turn>model\n"
    )


@pytest.mark.parametrize("generation", GEMMAS)
@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_a_tools_round_trip(generation: str, pieces: int) -> None:
    """What the model says is read as a call, and the next prompt holds it as the model said it, and the result."""
    template, said = ChatTemplate(GEMMAS[generation], "<bos>", "<eos>"), SAID[generation]
    first = Conversation((HOW,), (WEATHER,))
    reader = template.style.reader(first, inside=False)
    heard = [piece for at in range(0, len(said), pieces) for piece in reader.push(said[at : at + pieces])]
    heard += reader.finish()
    assert {piece.kind for piece in heard} == {"tool_call"}
    (name,) = {piece.call.name for piece in heard if piece.call}
    call = ToolCall("1", name, "".join(piece.text for piece in heard))
    messages = (HOW, Message("assistant", (), tool_calls=(call,)), RESULT)
    before = "".join(stretch.text for stretch in template.render(first))
    after = "".join(stretch.text for stretch in template.render(replace(first, messages=messages)))
    assert after.startswith(before.removesuffix("<|channel>thought\n<channel|>"))
    assert after.endswith(said + ANSWERS[generation])


ANSWERS = {
    **dict.fromkeys(
        OLD,
        "<end_of_turn>\n<start_of_turn>user\n"
        'get_weather returned:\n{"degrees": 12, "sky": "clear"}<end_of_turn>\n<start_of_turn>model\n',
    ),
    "gemma4": '<|tool_response>response:get_weather{degrees:12,sky:<|"|>clear<|"|>}<tool_response|>',
}


@pytest.mark.parametrize("generation", OLD)
def test_a_generation_without_tools_is_told_of_them_before_the_question(generation: str) -> None:
    text = rendered(GEMMAS[generation], Conversation((SYSTEM, HOW), (WEATHER,)))
    turn, rest = text.split("<end_of_turn>\n")
    assert turn.startswith("<bos><start_of_turn>user\nOnly reply like a pirate.\nYou can call these functions:\n")
    assert '"name": "get_weather", "description": "The weather."' in turn
    assert turn.endswith("\n\nHow is it in Paris?")
    assert rest == "<start_of_turn>model\n"


def test_gemma_4_is_told_of_tools_in_its_own_way() -> None:
    text = rendered(GEMMA4, Conversation((SYSTEM, HOW), (WEATHER, Tool("stop", "Stop."))))
    assert text.split("<turn|>\n")[0] == (
        "<bos><|turn>system\nOnly reply like a pirate."
        '<|tool>declaration:get_weather{description:<|"|>The weather.<|"|>,parameters:{properties:{'
        'city:{description:<|"|>Where<|"|>,type:<|"|>STRING<|"|>},days:{type:<|"|>INTEGER<|"|>},'
        'unit:{enum:[<|"|>C<|"|>,<|"|>F<|"|>],type:<|"|>STRING<|"|>}},'
        'required:[<|"|>city<|"|>],type:<|"|>OBJECT<|"|>}}<tool|>'
        '<|tool>declaration:stop{description:<|"|>Stop.<|"|>}<tool|>'
    )


# --- files without a template -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("architecture", "names", "source"),
    [
        ("gemma", ("gemma-2b-it-q8_0", "", ""), GEMMA),
        ("gemma2", ("model", "Gemma 2 9b It", ""), GEMMA),
        ("gemma3n", ("model", "gemma-3n-E2B", "it"), GEMMA),
        ("gemma4", ("gemma-4-E4B-Instruct",), GEMMA4),
        ("gemma3", ("gemma-3-270m-q4_k_m", "Gemma 3 270m"), ""),
        ("gemma", ("italian-gemma", "unit"), ""),
        ("llama", ("llama-7b-it",), ""),
        ("gemma-embedding", ("embeddinggemma-it",), ""),
    ],
)
def test_an_instruction_tuned_gemma_without_a_template_gets_its_generations(
    architecture: str, names: tuple[str, ...], source: str
) -> None:
    assert own_template(architecture, names) == source


def conversations() -> Iterator[Conversation]:
    called = Message("assistant", (), tool_calls=(ToolCall("1", "get_weather", '{"city": "Paris"}'),), reasoning="Hm.")
    plan = Tool("plan", "Plans.", {"type": "object", "properties": {
        "when": {"type": "object", "properties": {"day": {"type": "integer"}}, "required": ["day"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "note": {"type": "string", "nullable": True},
    }})  # fmt: skip
    both = replace(called, tool_calls=(*called.tool_calls, ToolCall("2", "plan", '{"tags": ["a", true, 1.5]}')))
    results = (RESULT, replace(RESULT, parts=("done",), tool_call_id="2"))
    for thinking in ({}, {"enable_thinking": True}):
        for messages in (
            (ASKED,),
            (SYSTEM, ASKED, ANSWERED, AGAIN),
            (SYSTEM, HOW, called, RESULT),
            (HOW, both, *results, ANSWERED, AGAIN, called, RESULT),
            (HOW, called, RESULT, called, RESULT),
        ):
            for tools in ((), (WEATHER, plan)):
                yield Conversation(messages, tools, template_options=thinking)


def test_the_own_format_of_gemma_2_is_that_of_its_template() -> None:
    theirs = vendored("templates/google-gemma-2-2b-it.jinja").read_text(encoding="utf-8")
    for conversation in conversations():
        assert rendered(GEMMA, conversation) == rendered(theirs, conversation)


def test_the_own_format_of_gemma_4_is_that_of_its_template() -> None:
    theirs = vendored("templates/google-gemma-4-31B-it.jinja").read_text(encoding="utf-8")
    for conversation in conversations():
        assert rendered(GEMMA4, conversation) == rendered(theirs, conversation)
