"""Answers in a given form, and forms that cannot be had."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import llama_cpp.llama_grammar
import numpy as np
import pytest

from tests.contracts.llama_context import LlamaContext
from tests.live.starters import starter
from vaultbridge.backends.gbnf import check
from vaultbridge.backends.json_grammar import json_grammar
from vaultbridge.backends.llama_grammar import LlamaGrammar
from vaultbridge.core.dialogue import Grammar, Sampling
from vaultbridge.core.errors import InvalidRequest

STORY = "Once upon a time there was a small village by the sea. Every morning"
PLAIN = Sampling(temperature=0, repeat_penalty=1.0)
HOT = Sampling(temperature=1.5)
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "mood": {"enum": ["happy", 'so "so"', "two\nlines", "back\\slash", "🍅", None]},
        "born": {"type": "string", "pattern": r"^\d{4}-(?:0[1-9]|1[0-2])\.$"},
        "pet": {"type": ["string", "null"], "maxLength": 5},
        "sizes": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 3},
    },
    "required": ["name", "mood", "born", "pet", "sizes"],
}


def gbnf(text: str, *triggers: str) -> Grammar:
    return Grammar("gbnf", text, triggers)


def schema(of: Any) -> Grammar:
    return Grammar("json_schema", json.dumps(of))


@pytest.fixture(scope="module", params=["smollm2-135m-instruct", "gemma-3-270m"])
def context(request: pytest.FixtureRequest) -> Iterator[LlamaContext]:
    context = LlamaContext(starter(request.param))
    yield context
    context.close()


# --- GBNF ---------------------------------------------------------------------------------------------------------


def test_yes_or_no_is_yes_or_no(context: LlamaContext) -> None:
    for seed in range(4):
        said = context.answer("Is the sky green?", replace(HOT, seed=seed, grammar=gbnf('root ::= "yes" | "no"')))
        assert said.text in ("yes", "no")
        assert said.ended


def test_a_grammar_that_allows_everything_changes_nothing(context: LlamaContext) -> None:
    for sampling in (PLAIN, replace(HOT, seed=2)):
        free = context.answer(STORY, sampling)
        assert context.answer(STORY, replace(sampling, grammar=gbnf("root ::= .*"))) == free


def test_a_refused_token_gives_way_to_the_best_allowed_one(context: LlamaContext) -> None:
    logits = context.logits(context.start(STORY))
    allowed = [token for token in range(context.size) if re.fullmatch(rb"[A-Z]{3,}", context.piece(token))]
    best = max(allowed, key=lambda token: float(logits[token]))
    said = context.answer(STORY, replace(PLAIN, grammar=gbnf("root ::= [A-Z] [A-Z] [A-Z]+")), most=1)
    first = context.piece(said.tokens[0])
    assert re.fullmatch(rb"[A-Z]+", first)
    assert logits[said.tokens[0]] >= logits[best]


def test_the_end_of_the_grammar_wins_over_going_on(context: LlamaContext) -> None:
    said = context.answer(STORY, replace(PLAIN, grammar=gbnf('root ::= "done"'), min_tokens=9, ignore_eos=True))
    assert (said.text, said.ended) == ("done", True)


def test_a_minimum_holds_where_the_grammar_leaves_a_choice(context: LlamaContext) -> None:
    eager = replace(PLAIN, grammar=gbnf('root ::= "a"+'), logit_bias=tuple((end, 60.0) for end in context.ends()))
    assert len(context.answer(STORY, eager).tokens) == 1
    assert len(context.answer(STORY, replace(eager, min_tokens=4)).tokens) == 4


def test_characters_of_several_bytes_are_kept_to(context: LlamaContext) -> None:
    for seed in range(3):
        said = context.answer(STORY, replace(HOT, seed=seed, grammar=gbnf('root ::= [ä-ü番-茄]{3} "。"')), most=30)
        assert said.ended
        assert re.fullmatch("[ä-ü番-茄]{3}。", said.data.decode())


# --- JSON ---------------------------------------------------------------------------------------------------------


def test_an_answer_in_a_schema_parses_and_is_valid(context: LlamaContext) -> None:
    for seed in range(3):
        said = context.answer("A person:", replace(HOT, seed=seed, grammar=schema(PERSON)), most=250)
        assert said.ended, "everything in it is bounded"
        person = json.loads(said.data.decode())
        assert set(person) == set(PERSON["required"])
        assert len(person["name"]) <= 12
        assert person["mood"] in PERSON["properties"]["mood"]["enum"]  # type: ignore[index]
        assert re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])\.", person["born"])
        assert person["pet"] is None or len(person["pet"]) <= 5
        assert 2 <= len(person["sizes"]) <= 3
        assert all(isinstance(size, int) for size in person["sizes"])


def test_any_object_parses(context: LlamaContext) -> None:
    for seed in range(3):
        said = context.answer('{"a": 1}\n\n', replace(HOT, seed=seed, grammar=schema({"type": "object"})), most=40)
        assert isinstance(json.loads(said.data.decode()), dict) if said.ended else said.text.startswith("{")


def test_json_does_not_run_away_into_blanks(context: LlamaContext) -> None:
    blanks = [context.tokenize(text)[0] for text in (" ", "\n", "\t", "  ", "\n\n")]
    pair = schema({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 2})
    lost = replace(PLAIN, grammar=pair, logit_bias=tuple((token, 80.0) for token in blanks))
    said = context.answer(STORY, lost, most=40)
    assert said.ended
    assert len(json.loads(said.text)) == 2


def takes(context: LlamaContext, grammar: Grammar, text: str) -> bool:
    """Whether a text, token by token, is an answer in that form."""
    form = LlamaGrammar(context.vocabulary, grammar)
    try:
        for token in context.tokenize(text):
            if not form.allows(token):
                return False
            form.accept(token)
        return form.allows(context.ends()[0])
    finally:
        form.close()


def test_a_schema_may_refer_to_itself(context: LlamaContext) -> None:
    node = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}
    tree = schema({"$ref": "#/$defs/node", "$defs": {"node": {**node, "required": ["next"]}}})
    assert takes(context, tree, '{"next": {"next": {"next": null}}}')
    assert not takes(context, tree, '{"next": {"next": {"next": 3}}}')
    assert not takes(context, tree, '{"next": {"next": null}')


@pytest.mark.parametrize("text", [r'"a\nb"', r'"tab\t"', r'"\u00e4 \\ \""', '"番茄"', '"[1]"'])
def test_strings_hold_what_json_has(context: LlamaContext, text: str) -> None:
    assert json.loads(text)
    assert takes(context, schema({"type": "string"}), text)


@pytest.mark.parametrize("text", ['"a\nb"', '"a\tb"', r'"\x"', '"'], ids=["line", "tab", "escape", "open"])
def test_strings_hold_nothing_else(context: LlamaContext, text: str) -> None:
    with pytest.raises(ValueError):
        json.loads(text)
    assert not takes(context, schema({"type": "string"}), text)


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"^\w+@\w+\.org$", "a_1@b.org", "a@b,org"),
        (r"^[\w.-]+$", "a.b-c", "a b"),
        (r"^a|b$", "b", "ab"),
        (r"^[^,]{2}$", "xy", "x,"),
        (r"^(ab)?.\d\/\($", "ab!7/(", "ab!x/("),
    ],
)
def test_patterns_mean_what_they_mean_elsewhere(context: LlamaContext, pattern: str, good: str, bad: str) -> None:
    form = schema({"type": "string", "pattern": pattern})
    assert takes(context, form, json.dumps(good))
    assert not takes(context, form, json.dumps(bad))


# --- lazy grammars ------------------------------------------------------------------------------------------------


def test_without_its_trigger_a_lazy_grammar_leaves_the_text_alone(context: LlamaContext) -> None:
    free = context.answer(STORY, PLAIN)
    assert context.answer(STORY, replace(PLAIN, grammar=gbnf('root ::= "x"', "<never said>"))) == free


@pytest.mark.parametrize("whole", [True, False], ids=["token", "middle of a token"])
def test_from_its_trigger_on_a_lazy_grammar_holds(context: LlamaContext, whole: bool) -> None:
    free = context.answer(STORY, PLAIN)
    pieces = [context.piece(token).decode() for token in free.tokens]
    at = next(i for i, piece in enumerate(pieces) if i and len(piece) > 3 and piece.strip().isalpha())
    trigger = pieces[at] if whole else pieces[at][2:]
    begun = free.text.index(trigger)
    lazy = gbnf(f'root ::= "{trigger}" "!" "?"', re.escape(trigger))
    said = context.answer(STORY, replace(PLAIN, grammar=lazy), most=30)
    assert said.text == free.text[:begun] + trigger + "!?"
    assert said.ended


def test_a_trigger_in_a_group_begins_the_grammar_there(context: LlamaContext) -> None:
    free = context.answer(STORY, PLAIN)
    first, second = (context.piece(token).decode() for token in free.tokens[:2])
    lazy = gbnf(f'root ::= "{second}" "#"', f"{re.escape(first)}({re.escape(second)})")
    assert context.answer(STORY, replace(PLAIN, grammar=lazy)).text == f"{first}{second}#"


def test_a_token_that_passes_a_trigger_in_the_wrong_way_is_not_taken(context: LlamaContext) -> None:
    """llama.cpp itself would end the process here."""
    free = context.answer(STORY, PLAIN)
    letter = next(character for character in free.text if character.isalpha())
    said = context.answer(STORY, replace(PLAIN, grammar=gbnf(f'root ::= "{letter}" "!"', letter)), most=30)
    assert letter not in said.text or said.text.split(letter, 1)[1] == "!"


# --- what cannot be had -------------------------------------------------------------------------------------------

NESTED = 100_000
UNREADABLE = {
    "empty": "",
    "blank": "  \n# nothing\n",
    "prose": "please answer in German",
    "no root": 'answer ::= "a"',
    "undefined": "root ::= nowhere",
    "escape": r'root ::= "\q"',
    "open class": "root ::= [a",
    "open text": 'root ::= "a',
    "open parenthesis": 'root ::= ("a"',
    "closed twice": 'root ::= "a")',
    "nothing to repeat": "root ::= *",
    "too often": 'root ::= ("a" "b"){1999}{1999}',
    "zero byte": 'root ::= "a"\0',
    "surrogate": 'root ::= "\ud800"',
    "tokens": "root ::= <[7]>",
    "left recursion": 'root ::= root "a" | "b"',
    "hidden left recursion": 'root ::= (("a"*)) root "b" | "c"',
    "deep": "root ::= " + "(" * NESTED + '"a"' + ")" * NESTED,
    "endless choice": "root ::= x{0,300}\nx ::= y{0,300}\ny ::= z{0,300}\nz ::= [a]*",
    "long chain": "root ::= r0\n" + "\n".join(f"r{i} ::= r{i + 1}" for i in range(2000)) + '\nr2000 ::= "a"',
    "doubling": "root ::= r0\n" + "\n".join(f"r{i} ::= r{i + 1} | r{i + 1}" for i in range(40)) + '\nr40 ::= "a"',
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_grammar_is_the_requests_fault(
    context: LlamaContext, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        context.sampler(Sampling(grammar=gbnf(UNREADABLE[name])))
    assert refused.value.param == "grammar"
    assert len(refused.value.message) < 400
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        '{"type": "colour"}',
        '{"type": "object", "properties": 3}',
        '{"$ref": "https://example.org/schema"}',
        '{"$ref": "#/nowhere"}',
        '{"$ref": "#/a", "a": {"$ref": "#/a"}}',
        '{"type": "string", "maxLength": 1000000000}',
        '{"type": "array", "items": {}, "minItems": "two"}',
        '{"type": "string", "pattern": "unanchored"}',
        '{"type": "string", "pattern": "^[ -~]$"}',
        '{"type": "string", "pattern": "^a{1000000000}$"}',
        '{"type": "string", "pattern": "^(?=a)$"}',
        '{"items":' * NESTED + "{}" + "}" * NESTED,
    ],
    ids=lambda text: text[:40],
)
def test_an_unreadable_schema_is_the_requests_fault(
    context: LlamaContext, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        context.sampler(Sampling(grammar=Grammar("json_schema", text)))
    assert refused.value.param == "response_format"
    assert capfd.readouterr() == ("", "")


def test_an_unreadable_trigger_is_the_requests_fault(context: LlamaContext) -> None:
    with pytest.raises(InvalidRequest):
        context.sampler(Sampling(grammar=gbnf('root ::= "a"', "(")))


def test_a_trigger_that_leaves_nothing_to_say_fails_the_answer(context: LlamaContext) -> None:
    sampler = context.sampler(Sampling(grammar=gbnf('root ::= "\U0010fffd"', r"[\s\S]")))
    row = context.start(STORY)
    with pytest.raises(InvalidRequest):
        for _ in range(9):
            sampler.sample(row)
    sampler.close()


# --- without a model ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ARITHMETIC", "C", "CHESS", "JAPANESE", "JSON_ARR", "JSON", "LIST"])
def test_grammars_that_people_use_are_let_through(name: str) -> None:
    check(getattr(llama_cpp.llama_grammar, f"{name}_GBNF"))


def test_the_largest_bounds_of_a_schema_are_let_through() -> None:
    check(json_grammar('{"type": "string", "maxLength": 500}'))
    check(json_grammar('{"type": "array", "items": {"type": "string", "maxLength": 500}, "maxItems": 500}'))
    many = {f"p{i}": {"type": "string"} for i in range(300)}
    check(json_grammar(json.dumps({"type": "object", "properties": many})))
    check(json_grammar(json.dumps({"enum": [f"note {i}" for i in range(np.iinfo(np.int16).max // 16)]})))
