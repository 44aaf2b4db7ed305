from __future__ import annotations

import pytest

from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.core.dialogue import Conversation, GroundedPrompt, Message, PromptNote, Sampling
from vaultbridge.core.errors import ContextTooLong
from vaultbridge.engine.fitting import fit


def prompt(notes: list[str], question: str = "What?", budget: int = 10_000) -> GroundedPrompt:
    numbered = tuple(PromptNote(i, f"[{i}] {text}") for i, text in enumerate(notes, start=1))
    return GroundedPrompt(Conversation((Message("user", (question,)),)), numbered, "Rules.", "Notes:", "Now:", budget)


def rendered(tokens: list[int]) -> str:
    return bytes(tokens).decode()


def test_everything_that_fits_is_kept_in_its_order() -> None:
    fitted = fit(prompt(["alpha", "beta"]), Sampling(), FakeDecoder())
    assert fitted.kept == (1, 2)
    assert fitted.omitted == ()
    text = rendered(fitted.tokens)
    assert text.index("[1] alpha") < text.index("[2] beta") < text.index("What?")


def test_notes_give_way_to_the_context_worst_first_and_are_named() -> None:
    fitted = fit(prompt(["a" * 200, "b" * 200, "c" * 200]), Sampling(), FakeDecoder(context=700))
    assert fitted.kept == (1, 2)
    assert fitted.omitted == (3,)
    assert "c" * 200 not in rendered(fitted.tokens)


def test_a_note_beyond_the_budget_does_not_keep_a_shorter_one_out() -> None:
    fitted = fit(prompt(["a" * 100, "b" * 500, "c" * 50], budget=200), Sampling(), FakeDecoder())
    assert fitted.kept == (1, 3)
    assert fitted.omitted == (2,)


def test_without_notes_the_prompt_is_left_as_it_came() -> None:
    bare = GroundedPrompt(Conversation((Message("user", ("What?",)),)))
    assert rendered(fit(bare, Sampling(), FakeDecoder()).tokens) == "<user>\nWhat?\n<assistant>\n"


def test_a_conversation_longer_than_the_context_is_refused() -> None:
    with pytest.raises(ContextTooLong) as caught:
        fit(prompt([], "x" * 600), Sampling(), FakeDecoder(context=512))
    assert caught.value.code == "context_length_exceeded"


def test_max_tokens_is_clamped_to_what_the_context_leaves() -> None:
    fitted = fit(prompt([]), Sampling(max_tokens=5000), FakeDecoder(context=512))
    assert fitted.max_tokens == 512 - len(fitted.tokens)
