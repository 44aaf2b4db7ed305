"""A conversation as the text that a model was trained on, through the model's own Jinja template.

What people wrote (messages, and the notes in them) is kept apart from what the template wrote: only the template's
own stretches may contain control tokens, so that a note cannot end a turn or begin another one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vaultbridge.core.dialogue import Conversation, Message
from vaultbridge.core.errors import InvalidRequest

# Private-use characters around a number stand for a message's text while the template runs.
_OPEN, _CLOSE = "\ue0f0", "\ue0f1"
_PLACE = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a rendered prompt; control tokens are read in it only if it is ``trusted``.

    ``tokens`` are its tokens where they are known already.
    """

    text: str
    trusted: bool
    tokens: tuple[int, ...] = ()


class ChatTemplate:
    """A model's chat template, run in a sandbox."""

    def __init__(self, source: str, bos: str, eos: str) -> None:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.filters["tojson"] = _to_json
        environment.globals.update(
            raise_exception=_refuse,
            strftime_now=lambda form: datetime.now().astimezone().strftime(form),
            bos_token=bos,
            eos_token=eos,
        )
        self._template = environment.from_string(source)

    def render(self, prompt: Conversation) -> list[Stretch]:
        """The conversation up to where the assistant begins to speak.

        A template that refuses a system turn, or two turns of one role, gets the system text in front of the first
        user turn and neighbours of one role joined. Raises InvalidRequest if it still refuses.
        """
        try:
            return self._render(prompt)
        except TemplateError:
            merged = replace(prompt, messages=_alternating(prompt.messages))
        try:
            return self._render(merged)
        except TemplateError as error:
            raise InvalidRequest(
                f"The model's chat template refuses this conversation: {error}", param="messages"
            ) from error

    def _render(self, prompt: Conversation) -> list[Stretch]:
        messages = [
            {"role": message.role, "content": f"{_OPEN}{place}{_CLOSE}"}
            for place, message in enumerate(prompt.messages)
        ]
        rendered = self._template.render(
            {"messages": messages, "add_generation_prompt": True, **prompt.template_options}
        )
        # re.split with one group alternates: template, number, template, number, template.
        return [
            _said(prompt.messages[int(piece)]) if i % 2 else Stretch(piece, trusted=True)
            for i, piece in enumerate(_PLACE.split(rendered))
            if piece
        ]


def _said(message: Message) -> Stretch:
    return Stretch(message.text, trusted=False, tokens=message.tokens)


def base_prompt(prompt: Conversation) -> tuple[list[Stretch], tuple[str, ...]]:
    """A conversation for a base model, which has no template: a document of questions and answers, and the texts
    that would begin its next turn. Notes, the parts before a message's last one, stand in front of their question."""
    labels = {"user": "Question: ", "assistant": "Answer:", "system": "", "tool": ""}
    stretches: list[Stretch] = []
    written = ""
    for message in prompt.messages:
        *notes, said = message.parts if message.role == "user" and message.parts else (message.text,)
        written += "".join(f"{note}\n\n" for note in notes) + labels[message.role]
        if message.role == "assistant":
            # What follows the label is tokenized for itself, as it was generated.
            stretches += [
                Stretch(written, trusted=False), Stretch(f" {said.strip()}", trusted=False, tokens=message.tokens)
            ]  # fmt: skip
            written = "\n\n"
        else:
            written += f"{said.strip()}\n\n"
    return [*stretches, Stretch(written + "Answer:", trusted=False)], ("\nQuestion:", "\n\nQuestion:")


def _alternating(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    result: list[Message] = []
    system: list[str] = []
    for message in messages:
        if message.role == "system":
            system += message.parts
        elif result and result[-1].role == message.role:
            result[-1] = replace(result[-1], parts=(*result[-1].parts, *message.parts), tokens=())
        else:
            result.append(message)
    if not result or result[0].role != "user":
        result.insert(0, Message("user", ()))
    if system:
        result[0] = replace(result[0], parts=(*system, *result[0].parts))
    return tuple(result)


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> None:
    raise TemplateError(message)
