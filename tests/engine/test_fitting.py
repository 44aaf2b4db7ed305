from __future__ import annotations

from dataclasses import replace

import pytest

from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.core.dialogue import (
    Continuation,
    Conversation,
    GroundedPrompt,
    Message,
    NoteBlock,
    PromptNote,
    Sampling,
)
from vaultbridge.core.errors import ContextTooLong, InvalidRequest
from vaultbridge.engine.fitting import AFTER_DROPPING, fit


def prompt(notes: list[str], question: str = "What?", budget: int = 10_000) -> GroundedPrompt:
    block = NoteBlock(numbered(notes), "Notes:", "Now:")
    talk = Conversation((Message("user", (question,)),))
    return GroundedPrompt(talk, block, instructions="Rules.", budget=budget)


def numbered(texts: list[str], first: int = 1) -> tuple[PromptNote, ...]:
    return tuple(PromptNote(i, f"[{i}] {text}", f"{i}.md") for i, text in enumerate(texts, start=first))


def third_turn(size: int = 100) -> GroundedPrompt:
    """Two former turns with a note each, and a new note."""
    said = ("Why?", "Because.", "How?", "So.", "When?")
    talk = Conversation(tuple(Message("assistant" if i % 2 else "user", (text,)) for i, text in enumerate(said)))
    earlier = {0: NoteBlock(numbered(["a" * size]), "Notes:"), 2: NoteBlock(numbered(["b" * size], 2), "Notes:")}
    return GroundedPrompt(talk, NoteBlock(numbered(["c" * size], 3), "Notes:"), earlier, "Rules.", 10_000)


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


def test_no_more_notes_are_kept_than_the_prompt_wants() -> None:
    fitted = fit(replace(prompt(["alpha", "beta", "gamma"]), most=2), Sampling(), FakeDecoder())
    assert (fitted.kept, fitted.omitted) == ((1, 2), (3,))


def test_the_best_note_stands_beside_the_question_and_goes_last() -> None:
    block = NoteBlock(numbered(["a" * 200, "b" * 200, "c" * 200]), "Notes:", best_last=True)
    turned = replace(prompt([]), block=block)
    text = rendered(fit(turned, Sampling(), FakeDecoder()).tokens)
    assert text.index("[3] c") < text.index("[2] b") < text.index("[1] a") < text.index("What?")
    assert fit(turned, Sampling(), FakeDecoder(context=700)).kept == (1, 2)


def test_what_ends_the_frame_ends_the_answer() -> None:
    fitted = fit(replace(prompt(["alpha"]), stop=("\nNotes:",)), Sampling(stop=("End",)), FakeDecoder())
    assert {"\nNotes:", "End"} <= set(fitted.stop)


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


def test_former_turns_keep_their_notes_where_they_stood() -> None:
    fitted = fit(third_turn(), Sampling(), FakeDecoder())
    text = rendered(fitted.tokens)
    places = [text.index(part) for part in ("Rules.", "[1]", "Why?", "Because.", "[2]", "How?", "So.", "[3]", "When?")]
    assert places == sorted(places)
    assert fitted.kept == (1, 2, 3)
    assert fitted.sources == {"1.md", "2.md", "3.md"}


def test_the_oldest_notes_fall_out_first() -> None:
    whole = len(fit(third_turn(), Sampling(max_tokens=8), FakeDecoder()).tokens)
    fitted = fit(third_turn(), Sampling(max_tokens=8), FakeDecoder(context=whole - 1))
    assert fitted.kept == (2, 3)
    assert fitted.omitted == (1,)
    assert fitted.sources == {"2.md", "3.md"}


def test_once_notes_fall_out_there_is_room_for_turns_to_come() -> None:
    """Whenever one falls out the cached beginning is lost, so that it must not happen at every turn."""
    whole = len(fit(third_turn(300), Sampling(max_tokens=8), FakeDecoder()).tokens)
    context = whole + 4
    fitted = fit(third_turn(300), Sampling(max_tokens=8), FakeDecoder(context=context))
    assert fitted.kept == (2, 3)
    assert len(fitted.tokens) <= context * AFTER_DROPPING // 100


def test_new_notes_outlive_those_of_former_turns() -> None:
    alone = third_turn(200)
    bare = len(fit(GroundedPrompt(alone.prompt), Sampling(max_tokens=8), FakeDecoder()).tokens)
    fitted = fit(alone, Sampling(max_tokens=8), FakeDecoder(context=bare + 260))
    assert fitted.kept == (3,)
    assert fitted.omitted == (1, 2)


def test_what_fell_out_of_former_turns_makes_room_before_any_new_note_goes() -> None:
    """Six former turns with notes, of which as many go as leave a quarter of the context free, and no more."""
    said = [Message("assistant" if i % 2 else "user", ("So?",)) for i in range(13)]
    earlier = {2 * i: NoteBlock(numbered(["x" * 80], i + 1), "Notes:") for i in range(6)}
    new = NoteBlock(numbered(["y" * 80, "z" * 80], 7), "Notes:")
    grounded = GroundedPrompt(Conversation(tuple(said)), new, earlier, "Rules.", 10_000)
    whole = len(fit(grounded, Sampling(max_tokens=8), FakeDecoder()).tokens)
    context = whole + 4
    fitted = fit(grounded, Sampling(max_tokens=8), FakeDecoder(context=context))
    left = fitted.kept
    assert left == tuple(range(left[0], 9)), "the oldest went, and nothing else"
    assert fitted.omitted == tuple(range(1, left[0]))
    assert fitted.sources == {f"{number}.md" for number in left}
    room = context * AFTER_DROPPING // 100
    assert len(fitted.tokens) <= room < len(fitted.tokens) + 100, "one more block would have been too much"


def test_when_all_former_notes_are_gone_new_ones_may_take_the_whole_context() -> None:
    alone = third_turn(200)
    bare = len(fit(GroundedPrompt(alone.prompt), Sampling(max_tokens=8), FakeDecoder()).tokens)
    fitted = fit(alone, Sampling(max_tokens=8), FakeDecoder(context=bare + 260))
    assert fitted.kept == (3,)
    assert len(fitted.tokens) > (bare + 260) * AFTER_DROPPING // 100


def test_a_note_that_stands_in_a_former_turn_and_here_is_not_called_omitted() -> None:
    grounded = third_turn()
    again = NoteBlock(numbered(["b" * 100], 2), "Notes:")
    fitted = fit(GroundedPrompt(grounded.prompt, again, grounded.earlier, "Rules.", 0), Sampling(), FakeDecoder())
    assert fitted.kept == (1, 2)
    assert fitted.omitted == ()


def test_notes_stand_in_front_of_a_text_that_is_to_be_continued() -> None:
    grounded = GroundedPrompt(Continuation("Once upon"), NoteBlock(numbered(["alpha"]), "Notes:"))
    assert rendered(fit(grounded, Sampling(), FakeDecoder()).tokens) == "Notes:\n\n[1] alpha\n\nOnce upon"


def test_notes_leave_room_for_the_answer_that_is_asked_for() -> None:
    context = 600
    fitted = fit(prompt(["a" * 100, "b" * 100, "c" * 100]), Sampling(max_tokens=140), FakeDecoder(context=context))
    assert fitted.max_tokens == 140
    assert len(fitted.tokens) + 140 <= context
    assert fitted.kept == (1, 2, 3)


def test_notes_without_a_source_have_none() -> None:
    grounded = GroundedPrompt(Continuation("Once upon"), NoteBlock((PromptNote(1, "[1] alpha"),)))
    assert fit(grounded, Sampling(), FakeDecoder()).sources == frozenset()


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="empty"):
        fit(GroundedPrompt(Continuation("")), Sampling(), FakeDecoder())
