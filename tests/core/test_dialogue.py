from __future__ import annotations

from collections.abc import Mapping

from vaultbridge.core.dialogue import Continuation, Conversation, GroundedPrompt, Message, NoteBlock, PromptNote

NOTES = (PromptNote(1, "[1] Bees"), PromptNote(2, "[2] Ants"))
FORMER = NoteBlock((PromptNote(1, "[1] Wasps"),), "Notizen:", "Jetzt:")
TALK = Conversation((Message("user", ("One?",)), Message("assistant", ("Yes.",)), Message("user", ("Two?",))))


def grounded(prompt: Conversation | Continuation, earlier: Mapping[int, NoteBlock] | None = None) -> GroundedPrompt:
    return GroundedPrompt(prompt, NoteBlock(NOTES, "Notes:", "Now:"), earlier or {}, "Rules.")


def test_notes_stand_beside_the_newest_question_and_rules_come_first() -> None:
    result = grounded(TALK).assembled(NOTES)
    assert isinstance(result, Conversation)
    assert [message.role for message in result.messages] == ["system", "user", "assistant", "user"]
    assert result.messages[0].text == "Rules."
    assert result.messages[1:3] == TALK.messages[:2]  # history stays as it was, so its tokens stay cached
    assert result.messages[3].parts == ("Notes:\n\n[1] Bees\n\n[2] Ants\n\nNow:", "Two?")


def test_former_notes_stand_where_they_stood() -> None:
    result = grounded(TALK, {0: FORMER}).assembled(NOTES[1:])
    assert isinstance(result, Conversation)
    assert [message.parts for message in result.messages] == [
        ("Rules.",),
        ("Notizen:\n\n[1] Wasps\n\nJetzt:", "One?"),
        ("Yes.",),
        ("Notes:\n\n[2] Ants\n\nNow:", "Two?"),
    ]


def test_former_notes_stay_without_new_ones_and_may_be_left_out() -> None:
    prompt = grounded(TALK, {0: FORMER})
    alone = prompt.assembled(())
    assert isinstance(alone, Conversation)
    assert [message.text for message in alone.messages] == [
        "Rules.",
        "Notizen:\n\n[1] Wasps\n\nJetzt:\nOne?",
        "Yes.",
        "Two?",
    ]
    without = prompt.assembled(NOTES, {})
    assert isinstance(without, Conversation)
    assert without.messages[1] == TALK.messages[0]
    assert prompt.assembled((), {}) is TALK


def test_a_system_message_of_the_client_keeps_its_place_behind_the_rules() -> None:
    result = grounded(Conversation((Message("system", ("Be brief.",)), Message("user", ("One?",))))).assembled(NOTES)
    assert isinstance(result, Conversation)
    assert result.messages[0].parts == ("Rules.", "Be brief.")
    assert len(result.messages) == 2


def test_a_text_to_continue_has_the_notes_in_front_and_its_end_untouched() -> None:
    result = grounded(Continuation("Once upon a")).assembled(NOTES[:1])
    assert isinstance(result, Continuation)
    assert result.text.endswith("\n\nOnce upon a")
    assert "[1] Bees" in result.text
    assert "[2] Ants" not in result.text


def test_without_notes_a_prompt_is_left_as_it_came() -> None:
    talk = Conversation((Message("user", ("One?",)),))
    assert grounded(talk).assembled(()) is talk
