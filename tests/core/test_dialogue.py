from __future__ import annotations

from vaultbridge.core.dialogue import Continuation, Conversation, GroundedPrompt, Message, PromptNote

NOTES = (PromptNote(1, "[1] Bees"), PromptNote(2, "[2] Ants"))


def grounded(prompt: Conversation | Continuation) -> GroundedPrompt:
    return GroundedPrompt(prompt, NOTES, instructions="Rules.", opening="Notes:", closing="Now:")


def test_notes_stand_beside_the_newest_question_and_rules_come_first() -> None:
    talk = Conversation((Message("user", ("One?",)), Message("assistant", ("Yes.",)), Message("user", ("Two?",))))
    result = grounded(talk).with_notes(NOTES)
    assert isinstance(result, Conversation)
    assert [message.role for message in result.messages] == ["system", "user", "assistant", "user"]
    assert result.messages[0].text == "Rules."
    assert result.messages[1:3] == talk.messages[:2]  # history stays as it was, so its tokens stay cached
    assert result.messages[3].parts == ("Notes:\n\n[1] Bees\n\n[2] Ants\n\nNow:", "Two?")


def test_a_system_message_of_the_client_keeps_its_place_behind_the_rules() -> None:
    result = grounded(Conversation((Message("system", ("Be brief.",)), Message("user", ("One?",))))).with_notes(NOTES)
    assert isinstance(result, Conversation)
    assert result.messages[0].parts == ("Rules.", "Be brief.")
    assert len(result.messages) == 2


def test_a_text_to_continue_has_the_notes_in_front_and_its_end_untouched() -> None:
    result = grounded(Continuation("Once upon a")).with_notes(NOTES[:1])
    assert isinstance(result, Continuation)
    assert result.text.endswith("\n\nOnce upon a")
    assert "[1] Bees" in result.text
    assert "[2] Ants" not in result.text


def test_without_notes_a_prompt_is_left_as_it_came() -> None:
    talk = Conversation((Message("user", ("One?",)),))
    assert grounded(talk).with_notes(()) is talk
