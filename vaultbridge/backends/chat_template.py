"""A conversation as the text that a model was trained on, through the model's own Jinja template.

What people wrote (messages, and the notes in them) is kept apart from what the template wrote: only the template's
own stretches may contain control tokens, so that a note cannot end a turn or begin another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from jinja2 import TemplateError, meta
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vaultbridge.backends.replies.instructions import in_words
from vaultbridge.backends.replies.styles import BASE, style_of
from vaultbridge.core.dialogue import Conversation, Message, Tool, ToolCall
from vaultbridge.core.errors import InvalidRequest

# Private-use characters around a number stand for a message's text while the template runs.
_OPEN, _CLOSE = "\ue0f0", "\ue0f1"
# Texts inside of tools and calls, which templates write as JSON or in ways of their own, stand between these two: they
# are rare, and left alone by whatever prints them. Plain words need none, since no control token is spelled so.
_FENCE, _FENCE_END = "⧼", "⧽"
_PLAIN_WORDS = re.compile(r"[\w .,-]*")
_UNFENCED = {ord(_FENCE): "<", ord(_FENCE_END): ">", ord(_OPEN): None, ord(_CLOSE): None}
_SAID = re.compile(f"{_OPEN}(?P<place>\\d+){_CLOSE}|{_FENCE}(?P<text>[^{_FENCE}{_FENCE_END}]*){_FENCE_END}")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a rendered prompt; control tokens are read in it only if it is ``trusted``.

    ``tokens`` are its tokens where they are known already.
    """

    text: str
    trusted: bool
    tokens: tuple[int, ...] = ()


class ChatTemplate:
    """A model's chat template, run in a sandbox; ``style`` is how the model answers."""

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
        self._knows_tools = "tools" in meta.find_undeclared_variables(environment.parse(source))
        self._folds_results = "tool_responses" in source
        self.style = style_of(source, knows_tools=self._knows_tools)

    def render(self, prompt: Conversation) -> list[Stretch]:
        """The conversation up to where the assistant begins to speak.

        A template that knows no tools gets them in words. One that refuses a system turn, or two turns of one role,
        gets the system text in front of the first user turn and neighbours of one role joined. Raises InvalidRequest
        if it still refuses.
        """
        try:
            prompt = prompt if self._knows_tools else in_words(prompt, self.style.calls)
            return self._render(prompt)
        except RecursionError as error:
            raise InvalidRequest("The tools, or their calls, are nested too deeply.", param="tools") from error
        except TemplateError:
            merged = replace(prompt, messages=_alternating(prompt.messages))
        try:
            return self._render(merged)
        except TemplateError as error:
            raise InvalidRequest(
                f"The model's chat template refuses this conversation: {error}", param="messages"
            ) from error

    def _render(self, prompt: Conversation) -> list[Stretch]:
        said: list[Stretch] = []

        def place(text: str, tokens: tuple[int, ...] = ()) -> str:
            said.append(Stretch(text, trusted=False, tokens=tokens))
            return f"{_OPEN}{len(said) - 1}{_CLOSE}"

        messages: list[dict[str, Any]] = []
        names = {call.id: call.name for message in prompt.messages for call in message.tool_calls}
        for message in prompt.messages:
            name = message.name or names.get(message.tool_call_id, "")
            if message.role == "tool" and self._folds_results and messages and "tool_calls" in messages[-1]:
                result = {"name": _fenced(name), "response": _fenced(_mapping(message.text))}
                messages[-1].setdefault("tool_responses", []).append(result)
            elif message.role == "tool":
                ids = {"name": _fenced(name), "tool_call_id": _fenced(message.tool_call_id)}
                messages.append({"role": "tool", "content": _fenced(message.text), **ids})
            else:
                spoken: dict[str, Any] = {"role": message.role, "content": ""}
                if message.text or not message.tool_calls:
                    spoken["content"] = place(message.text, message.tokens)
                if message.reasoning:
                    spoken["reasoning_content"] = place(message.reasoning)
                if message.tool_calls:
                    spoken["tool_calls"] = list(map(_called, message.tool_calls))
                messages.append(spoken)
        given = {"messages": messages, "tools": list(map(_offered, prompt.tools)) or None}
        rendered = self._template.render({"add_generation_prompt": True, **_fenced(prompt.template_options), **given})
        if self._folds_results and rendered.endswith("<turn|>\n"):
            rendered += "<|turn>model\n"  # Gemma 4's forgets it where a turn has both text and results
        return list(_stretches(rendered, said))


def _stretches(rendered: str, said: list[Stretch]) -> Iterator[Stretch]:
    """What the template wrote and what people did, in turn."""
    at = 0
    for found in _SAID.finditer(rendered):
        yield from _trusted(rendered[at : found.start()])
        stretch = said[int(found["place"])] if found["place"] else Stretch(found["text"], trusted=False)
        if stretch.text:
            yield stretch
        at = found.end()
    yield from _trusted(rendered[at:])


def _trusted(text: str) -> Iterator[Stretch]:
    if not set(text).isdisjoint((_OPEN, _CLOSE, _FENCE, _FENCE_END)):
        raise TemplateError("it tears apart what it is given")
    if text:
        yield Stretch(text, trusted=True)


def _offered(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": _fenced(function)}


def _called(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": _mapping(call.arguments or "{}")}
    return {"id": _fenced(call.id), "type": "function", "function": _fenced(function)}


def _mapping(text: str) -> Any:
    """The object that a JSON text stands for; the text itself if it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) else text


def _fenced(value: Any) -> Any:
    """A value with its texts fenced, keys too."""
    if isinstance(value, str):
        plain = _PLAIN_WORDS.fullmatch(value)
        return value if plain else f"{_FENCE}{value.translate(_UNFENCED)}{_FENCE_END}"
    if isinstance(value, Mapping):
        return {_fenced(key): _fenced(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_fenced(one) for one in value]
    return value


def base_prompt(prompt: Conversation) -> tuple[list[Stretch], tuple[str, ...]]:
    """A conversation for a base model, which has no template: a document of questions and answers, and the texts
    that would begin its next turn. Notes, the parts before a message's last one, stand in front of their question, and
    tools are told of in words."""
    prompt = in_words(prompt, BASE.calls)
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
        elif result and result[-1].role == message.role != "tool":
            joined = (*result[-1].parts, *message.parts), (*result[-1].tool_calls, *message.tool_calls)
            result[-1] = replace(result[-1], parts=joined[0], tool_calls=joined[1], tokens=())
        else:
            result.append(message)
    if not result or result[0].role != "user":
        result.insert(0, Message("user", ()))
    if system:
        result[0] = replace(result[0], parts=(*system, *result[0].parts))
    return tuple(result)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As the templates' own library has it; ASCII alone would write the fences as escapes."""
    return json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message: str) -> None:
    raise TemplateError(message)
