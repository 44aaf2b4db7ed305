"""Tools in plain words, for models whose template knows of none."""

from __future__ import annotations

import json
from dataclasses import replace

from vaultbridge.backends.replies.styles import CallStyle
from vaultbridge.core.dialogue import Conversation, Message, Tool


def in_words(prompt: Conversation, style: CallStyle) -> Conversation:
    """The same conversation without tools: they are told of in the system turn, calls and results are text."""
    names = {call.id: call.name for message in prompt.messages for call in message.tool_calls}
    messages = [_told(message, names, style) for message in prompt.messages]
    if prompt.tools:
        text = _instructions(prompt, style)
        if messages and messages[0].role == "system":
            messages[0] = replace(messages[0], parts=(*messages[0].parts, text), tokens=())
        else:
            messages.insert(0, Message("system", (text,)))
    return replace(prompt, messages=tuple(messages), tools=())


def _told(message: Message, names: dict[str, str], style: CallStyle) -> Message:
    if message.role == "tool":
        name = message.name or names.get(message.tool_call_id) or "The function"
        return Message("user", (f"{name} returned:\n{message.text}",))
    if message.tool_calls:
        calls = style.written(message.tool_calls)
        return replace(message, parts=(*filter(None, message.parts), calls), tool_calls=(), tokens=())
    return message


def _instructions(prompt: Conversation, style: CallStyle) -> str:
    several = "Several calls may follow one another." if prompt.parallel_calls else "Make one call at a time."
    needed = "Your answer now must be a call." if prompt.call_required else "If none of them helps, answer as usual."
    head = style.head("…").replace('"…"', "NAME")
    return "\n".join(
        [
            "You can call these functions:",
            *map(_described, prompt.tools),
            "A call is written like this, with nothing else around it:",
            f"{style.before}{head}ARGUMENTS}}{style.closing}{style.after}",
            f'NAME is the function\'s name in quotes, ARGUMENTS a JSON object that fits its "parameters". {several}',
            f"What a function returns comes with the next message. {needed}",
        ]
    )


def _described(tool: Tool) -> str:
    return json.dumps(
        {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}, ensure_ascii=False
    )
