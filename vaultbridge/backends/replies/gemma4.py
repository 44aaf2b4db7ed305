"""Gemma 4's calls, ``<|tool_call>call:name{key:<|"|>text<|"|>,number:1}<tool_call|>``, made JSON as they come."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from vaultbridge.backends.replies.calls import CallsReader, NoCall
from vaultbridge.backends.replies.reading import Steps

OPEN, CLOSE, QUOTE = "<|tool_call>", "<tool_call|>", '<|"|>'
MOST_NESTED = 100
_NAME = re.compile(r"[^\s{}<]*")
_KEY = re.compile(r"[^:{}\[\],<]*")
_BARE = re.compile(r"[^,{}\[\]<]*")
_WORDS = {"None": "null", "True": "true", "False": "false"}


class _Broken(Exception):
    """What follows is not Gemma's syntax."""


class Gemma4CallsReader(CallsReader):
    """Reads one call between each pair of marks. Arguments that are broken go on as the model wrote them."""

    OPENING = re.compile(f"{re.escape(OPEN)}|{re.escape(CLOSE)}")
    MARKS = (OPEN, CLOSE)
    _refused = False  # what opened last was no call

    def calls(self) -> Steps:
        """One call."""
        source = self.source
        if (yield from source.takes(CLOSE)):
            if self._refused:
                self._refused = False
                raise NoCall
            return  # it closes nothing
        yield from source.takes(OPEN)
        self._refused = True
        yield from source.skip()
        if not (yield from source.takes("call:")):
            raise NoCall
        name = yield from source.skip(_NAME)
        yield from source.skip()
        if (yield from source.peek()) != "{":
            raise NoCall
        say = self.begin(name)
        self._refused = False
        try:
            yield from self._value(say, 0)
        except _Broken:
            yield from source.until((CLOSE,), say)
            return
        if not self.enough:
            yield from source.skip()
            yield from source.takes(CLOSE)

    def _value(self, say: Callable[[str], None], depth: int) -> Steps:
        source = self.source
        if depth > MOST_NESTED:
            raise _Broken
        if (yield from source.takes(QUOTE)):
            yield from self._text(say)
        elif (yield from source.takes("{")):
            yield from self._members(say, "{", "}", depth)
        elif (yield from source.takes("[")):
            yield from self._members(say, "[", "]", depth)
        else:
            word = (yield from source.skip(_BARE)).strip()
            if not word or (yield from source.peek()) == "":
                raise _Broken
            say(_scalar(word))

    def _members(self, say: Callable[[str], None], opening: str, closing: str, depth: int) -> Steps:
        source = self.source
        say(opening)
        comma = ""
        while True:
            yield from source.skip()
            if (yield from source.takes(closing)):
                break
            say(comma)
            if opening == "{":
                yield from self._key(say)
            yield from self._value(say, depth + 1)
            yield from source.skip()
            if not (yield from source.takes(",")) and (yield from source.peek()) != closing:
                raise _Broken
            comma = ","
        say(closing)

    def _key(self, say: Callable[[str], None]) -> Steps:
        source = self.source
        if (yield from source.takes(QUOTE)):
            yield from self._text(say)
        else:
            key = (yield from source.skip(_KEY)).strip()
            if (yield from source.peek()) != ":":
                raise _Broken
            say(json.dumps(key.strip('"'), ensure_ascii=False))
        yield from source.skip()
        if not (yield from source.takes(":")):
            raise _Broken
        say(":")
        yield from source.skip()

    def _text(self, say: Callable[[str], None]) -> Steps:
        say('"')
        if not (yield from self.source.until((QUOTE,), lambda text: say(json.dumps(text, ensure_ascii=False)[1:-1]))):
            raise _Broken
        say('"')


def _scalar(word: str) -> str:
    """A bare word as JSON: a number, true, false or null; anything else is a text without its quotes."""
    word = _WORDS.get(word, word)
    try:
        value = json.loads(word)
    except (ValueError, RecursionError):
        return json.dumps(word, ensure_ascii=False)
    return word if value == value and value not in (float("inf"), float("-inf")) else json.dumps(word)
