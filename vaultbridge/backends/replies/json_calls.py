"""The calls of most models: JSON between marks, in a fence or bare, and Python's way of calling."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Any

from vaultbridge.backends.replies.calls import CallsReader, NoCall
from vaultbridge.backends.replies.reading import Answer, Steps, Test

CLOSINGS = {"<tool_call>": "</tool_call>", "[TOOL_CALLS]": "", "```": "```"}
"""The marks that may open calls, and what closes them."""
ARGUMENTS = ("arguments", "parameters")
_KEYS = {"name", *ARGUMENTS, "function", "id", "type"}
MOST_NESTED = 100
"""Brackets in one another, in what is still to become a call."""
_WORD = re.compile(r"\w*")
_NAME = re.compile(r"[\w.-]*")
_SCALAR = re.compile(r"[^\s,\]}]*")
# What matters to who looks for the end of a bracket, outside of strings and within.
_JSON = re.compile(r'["{}\[\]]')
_PYTHON = re.compile(r"""['"{}()\[\]]""")
_STRING = {'"': re.compile(r'["\\]'), "'": re.compile(r"['\\]")}


class JsonCallsReader(CallsReader):
    """Reads ``{"name": …, "arguments": {…}}``, ``parameters`` too, one, several or a list, and ``[name(key=value)]``.

    They may stand in the marks of Hermes, Qwen and Mistral or in a Markdown fence; bare ones open a line.
    """

    OPENING = re.compile(r"<tool_call>|\[TOOL_CALLS\]|```|(?m:^)[ \t]*[{\[]")
    MARKS = tuple(CLOSINGS)

    def calls(self) -> Steps:
        """All calls between one pair of marks."""
        closing = yield from self._marked()
        listed = yield from self.source.takes("[")
        yield from self.source.skip()
        yield from self._call()
        while not self.enough:
            after = self.source.at
            try:
                if not (yield from self._takes(",")) and listed:
                    break
                yield from self.source.skip()
                yield from self._call()
            except NoCall:
                self.source.at = after
                break
        for mark in filter(None, ("]" if listed else "", closing)):
            if not self.enough:
                yield from self._takes(mark)

    def _marked(self) -> Answer:
        """Read an opening mark, if there is one: the mark that closes what it opens."""
        for mark, closing in CLOSINGS.items():
            if (yield from self.source.takes(mark)):
                if mark == "```":
                    yield from self.source.skip(_WORD)
                yield from self.source.skip()
                return closing
        return ""

    def _takes(self, mark: str) -> Test:
        """Whether ``mark`` comes next, white space aside; nothing is read if not."""
        at = self.source.at
        yield from self.source.skip()
        found = yield from self.source.takes(mark)
        if not found:
            self.source.at = at
        return found

    def _call(self) -> Steps:
        if (yield from self.source.peek()) == "{":
            yield from self._object()
        else:
            yield from self._python()

    def _object(self) -> Steps:
        """A call in JSON. Its arguments stream if its name stands before them."""
        source, start = self.source, self.source.at
        yield from source.takes("{")
        name: Any = None
        while not (yield from self._takes("}")):
            yield from source.skip()
            key = (yield from source.peek()) == '"' and _loaded((yield from self._value()))
            if key not in _KEYS or not (yield from self._takes(":")):
                raise NoCall
            yield from source.skip()
            if key in ARGUMENTS and name in self.tools and (yield from source.peek()) == "{":
                yield from self._stretch(self.begin(name))
                if (yield from self._takes(",")):
                    yield from self._stretch(_nobody, inside=True)
                else:
                    yield from self._takes("}")
                return
            value = _loaded((yield from self._value()))
            if key == "name":
                name = value if isinstance(value, str) else ""
                if name not in self.tools:
                    raise NoCall
            if not (yield from self._takes(",")) and (yield from source.peek()) == "":
                raise NoCall
        self._whole(_loaded(source.text[start : source.at]))

    def _whole(self, call: dict[str, Any]) -> None:
        """A call that is here from end to end."""
        inner = call.get("function")
        call = inner if isinstance(inner, dict) else call
        name = call.get("name", inner)
        arguments: Any = next((call[key] for key in ARGUMENTS if key in call), {})
        if isinstance(arguments, str):
            arguments = _loaded(arguments)
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise NoCall
        text = _written(arguments)
        self.begin(name)(text)

    def _python(self) -> Steps:
        """A call as Python writes it, whose values are all constants. Arguments without a name take the schema's."""
        source = self.source
        name = yield from source.skip(_NAME)
        if name not in self.tools or not (yield from source.takes("(")):
            raise NoCall
        start = source.at
        if not (yield from self._stretch(_nobody, _PYTHON, inside=True)):
            raise NoCall
        try:
            call = ast.parse(f"call({source.text[start : source.at]}", mode="eval").body
            assert isinstance(call, ast.Call)
            keys = list(self.tools[name].parameters.get("properties", {}))
            arguments = {
                key: ast.literal_eval(value) for key, value in zip(keys, call.args[: len(keys)], strict=False)
            } | {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
            if len(call.args) > len(keys):
                raise NoCall
        except (SyntaxError, ValueError, TypeError, AssertionError, RecursionError, MemoryError) as error:
            raise NoCall from error
        text = _written(arguments)
        self.begin(name)(text)

    def _value(self) -> Answer:
        """Any JSON value's text."""
        start = self.source.at
        if (yield from self.source.peek()) in ("{", "[", '"'):
            yield from self._stretch(_nobody)
        else:
            yield from self.source.skip(_SCALAR)
        return self.source.text[start : self.source.at]

    def _stretch(self, show: Callable[[str], None], outside: re.Pattern[str] = _JSON, *, inside: bool = False) -> Test:
        """Read a string or a bracket to its end, shown as it comes; whether the end came.

        ``inside``: the bracket was opened before.
        """
        source = self.source
        depth, quote = int(inside), ""
        while True:
            found = (_STRING[quote] if quote else outside).search(source.text, source.at)
            escape = found is not None and found[0] == "\\"
            end = len(source.text) if found is None else found.end() + escape
            whole = end <= len(source.text)
            if found and not whole:
                end = found.start()
            show(source.text[source.at : end])
            source.at = end
            if found is None or not whole:
                if source.ended:
                    return False
                yield
            elif quote:
                quote = quote if escape else ""
            elif found[0] in "'\"":
                quote = found[0]
            else:
                depth += 1 if found[0] in "([{" else -1
                if depth > MOST_NESTED and show is _nobody:
                    raise NoCall
            if found and whole and not quote and depth <= 0:
                return True


def _nobody(text: str) -> None:
    """Nobody hears it as it comes."""


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoCall from error


def _written(arguments: dict[str, Any]) -> str:
    try:
        text = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(arguments)  # half a character, which only an escape can name
    except (ValueError, TypeError, RecursionError) as error:
        raise NoCall from error
    return text
