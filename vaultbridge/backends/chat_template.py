"""A conversation as the text that a model was trained on, through the model's own Jinja template.

What people wrote (messages, and the notes in them) is kept apart from what the template wrote: only the template's
own stretches may contain control tokens, so that a note cannot end a turn or begin another one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from jinja2 import TemplateError, meta
from jinja2.exceptions import SecurityError

from vaultbridge.backends.replies.instructions import in_words
from vaultbridge.backends.replies.styles import BASE, style_of
from vaultbridge.backends.template_sandbox import Spent, TemplateSandbox
from vaultbridge.core.dialogue import Conversation, Message, Tool, ToolCall
from vaultbridge.core.errors import InvalidRequest, ModelInvalid

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
        """Raises ModelInvalid for a template that is none, or that does not come to an end."""
        self._sandbox = TemplateSandbox()
        self._sandbox.filters["tojson"] = _to_json
        self._sandbox.globals.update(
            raise_exception=_refuse,
            strftime_now=lambda form: datetime.now().astimezone().strftime(form),
            bos_token=bos,
            eos_token=eos,
        )
        try:
            self._template = self._sandbox.load(source)
            self._knows_tools = "tools" in meta.find_undeclared_variables(self._sandbox.parse(source))
        except Exception as error:  # a compiler has many ways to fail at what is no template
            raise _unusable(error) from error
        self._folds_results = "tool_responses" in source
        self.style = style_of(source, knows_tools=self._knows_tools)
        self._try_out()

    def _try_out(self) -> None:
        """What a template does with one word shows the worst when the model is loaded, not with every request."""
        try:
            self.render(Conversation((Message("user", ("Hi",)),)))
        except InvalidRequest as error:
            if isinstance(error.__cause__, (SecurityError, Spent)):
                raise _unusable(error.__cause__) from error

    def render(self, prompt: Conversation) -> list[Stretch]:
        """The conversation up to where the assistant begins to speak.

        A template that knows no tools, or refuses them, gets them in words. One that refuses a system turn, or two
        turns of one role, gets the system text in front of the first user turn and neighbours of one role joined.
        Raises InvalidRequest if it still refuses.
        """
        self._sandbox.begin()
        try:
            told, offered = in_words(prompt, self.style.calls), list(map(_offered, prompt.tools)) or None
            native = [(prompt, offered), (_alternating(prompt), offered)] if self._knows_tools else []
            refusal: TemplateError | None = None
            for way, tools in (*native, (told, []), (_alternating(told), [])):
                try:
                    return self._render(way, tools)
                except TemplateError as error:
                    refusal = refusal or error
        except RecursionError as error:
            raise InvalidRequest("The tools, or their calls, are nested too deeply.", param="tools") from error
        raise InvalidRequest(
            f"The model's chat template refuses this conversation: {refusal}", param="messages"
        ) from refusal

    def _render(self, prompt: Conversation, tools: list[dict[str, Any]] | None) -> list[Stretch]:
        said: list[Stretch] = []

        def place(text: str, tokens: tuple[int, ...] = ()) -> str:
            # White space around it is left for the template to trim, as most do.
            bare = text if tokens else text.strip()
            before, _, after = text.partition(bare) if bare else ("", "", text)
            said.append(Stretch(bare, trusted=False, tokens=tokens))
            return f"{before}{_OPEN}{len(said) - 1}{_CLOSE}{after}"

        messages: list[dict[str, Any]] = []
        wanted: list[str] = []
        names = {call.id: call.name for message in prompt.messages for call in message.tool_calls}
        for message in prompt.messages:
            name = message.name or names.get(message.tool_call_id, "")
            if message.role == "tool" and self._folds_results and messages and "tool_calls" in messages[-1]:
                result = {"name": _fenced(name), "response": _fenced(_mapping(message.text))}
                messages[-1].setdefault("tool_responses", []).append(result)
            elif message.role == "tool":
                ids = {"name": _fenced(name), "tool_call_id": _short(message.tool_call_id)}
                messages.append({"role": "tool", "content": _fenced(message.text), **ids})
            else:
                spoken: dict[str, Any] = {"role": message.role, "content": ""}
                if message.text or not message.tool_calls:
                    spoken["content"] = place(message.text, message.tokens)
                if message.role != "assistant":
                    wanted.append(spoken["content"].strip())
                if message.reasoning:
                    spoken["reasoning_content"] = place(message.reasoning)
                if message.tool_calls:
                    spoken["tool_calls"] = list(map(_called, message.tool_calls))
                messages.append(spoken)
        given = {"messages": messages, "tools": tools}
        rendered = self._run({"add_generation_prompt": True, **_fenced(prompt.template_options), **given})
        if not all(text in rendered for text in wanted):
            raise TemplateError("it leaves out what it is given")
        if self._folds_results and rendered.endswith("<turn|>\n"):
            rendered += "<|turn>model\n"  # Gemma 4's forgets it where a turn has both text and results
        return list(_stretches(rendered, said))

    def _run(self, given: Mapping[str, Any]) -> str:
        try:
            return self._template.render(given)
        except TemplateError:
            raise
        except Exception as error:  # it is a program: it fails in as many ways
            raise TemplateError(f"it fails ({type(error).__name__}: {error})") from error


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
    return {"id": _short(call.id), "type": "function", "function": _fenced(function)}


def _short(id_: str) -> str:
    """A call's id as Mistral's templates insist on them; others do not mind."""
    return hashlib.sha256(id_.encode()).hexdigest()[:9]


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


def _alternating(prompt: Conversation) -> Conversation:
    result: list[Message] = []
    system: list[str] = []
    for message in prompt.messages:
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
        # An empty line between them, as Gemma's documentation has it.
        first, *others = result[0].parts or ("",)
        result[0] = replace(result[0], parts=("\n".join(system).strip() + "\n", first.lstrip(), *others))
    return replace(prompt, messages=tuple(result))


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


def _unusable(error: BaseException) -> ModelInvalid:
    reason = re.sub(r"\s+", " ", str(error))[:200]
    return ModelInvalid(f"The model's chat template cannot be used: {reason}.", "Choose another file of this model.")
