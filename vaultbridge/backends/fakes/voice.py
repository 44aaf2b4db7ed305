"""What the fake language model reads in its prompt, and what it says to it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from vaultbridge.core.dialogue import Conversation, Message

_NOTE = re.compile(r"^\[1\] [^\n]*\n+(?:#[^\n]*\n+)*(?P<text>[^\n]+)", re.MULTILINE)
_CALL = re.compile(r"call (?P<name>\S+) (?P<arguments>\{.*\})\s*")
_USER, _TOOL, _ASSISTANT, _TOOLS, _REQUIRED = "<user>\n", "<tool>\n", "<assistant>\n", "<tools>\n", "must call: "


def offered(prompt: Conversation) -> str:
    """The tools as the model sees them: the names and, if one must be called, a call that would do."""
    if not prompt.tools:
        return ""
    first = prompt.tools[0]
    example = f"{_REQUIRED}{first.name} {json.dumps(_example(first.parameters))}\n" if prompt.call_required else ""
    return _TOOLS + "".join(f"{tool.name}\n" for tool in prompt.tools) + example


def transcript(message: Message) -> str:
    """A message's text and calls."""
    return "\n".join([message.text, *(_called(call.name, call.arguments) for call in message.tool_calls)])


def planned(prompt: str) -> str:
    """The answer to a rendered prompt."""
    asked = prompt.rsplit(_USER, 1)[-1].removesuffix(_ASSISTANT)
    _, *results = asked.rsplit(_ASSISTANT, 1)[-1].split(_TOOL)
    if results:
        return f"Tool said: {', '.join(result.strip() for result in results)}"
    lines = asked.strip().splitlines() or [""]
    calls = _asked_for(lines) if prompt.startswith(_TOOLS) else []
    before = lines[: len(lines) - len(calls)][-1 if calls else -2 :]
    thoughts = [line for line in before if line.startswith("think ")]
    thought = f"<think>\n{thoughts[-1].removeprefix('think ')}\n</think>\n\n" if thoughts else ""
    note = _NOTE.search(asked)
    usual = f"{note['text']} [1]" if note else f"You said: {lines[-1]}"
    return thought + ("\n".join(calls or _required(prompt)) or usual)


def _asked_for(lines: list[str]) -> list[str]:
    """The calls that the last lines ask for."""
    asked: list[str] = []
    for line in reversed(lines):
        if not (call := _CALL.fullmatch(line)):
            break
        asked.insert(0, _called(call["name"], call["arguments"]))
    return asked


def _required(prompt: str) -> list[str]:
    """The call that must be made, if one must be."""
    tools = prompt.removeprefix(_TOOLS).partition("\n<")[0] if prompt.startswith(_TOOLS) else ""
    _, required, call = tools.partition(_REQUIRED)
    return [_called(*call.split(" ", 1))] if required else []


def _called(name: str, arguments: str) -> str:
    return f'<tool_call>\n{{"name": {json.dumps(name)}, "arguments": {arguments}}}\n</tool_call>'


def _example(schema: Mapping[str, Any]) -> Any:
    """The least that a simple JSON schema allows."""
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kinds = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "array": [], "null": None}
    if (kind := schema.get("type", "object")) in kinds:
        return kinds[kind]
    return {name: _example(schema["properties"][name]) for name in schema.get("required", ())}
