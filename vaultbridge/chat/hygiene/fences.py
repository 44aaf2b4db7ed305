"""Code fences of an answer: one around all of it, one that is left open, one that was open before it began."""

from __future__ import annotations

import re

from vaultbridge.chat.stream import LineFilter, TextFilter
from vaultbridge.retrieve.fence import Fence, fence_after, read_fence

_MAY_WRAP = re.compile(r"\s*(?:`{1,9}[ \t]*[a-zA-Z]{0,8})?\s*")
_MAY_BE_FENCE = re.compile(r"[ \t]*(?:`{1,9}[^`\n]{0,40})?\s*")
_MAY_CLOSE = re.compile(r"[ \t>]{0,40}(?:`{1,9}|~{1,9})?\s{0,9}")


class FenceCloser(TextFilter):
    """Closes the fence that the answer leaves open; ``fence`` is one that was open before it began."""

    def __init__(self, fence: Fence | None = None) -> None:
        self._fence = fence
        self._line = ""

    def push(self, text: str) -> str:
        """The text."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._fence = fence_after(self._fence, line)
        return text

    def finish(self) -> str:
        """The closing line, if there must be one."""
        fence = fence_after(self._fence, self._line)
        if fence is None:
            return ""
        return f"\n{fence.closing}" if self._line else fence.closing


class CodeFilter(LineFilter):
    """Ends the answer with the line that closes ``fence``, in which it began."""

    def __init__(self, fence: Fence) -> None:
        super().__init__()
        self._fence = fence

    def wanted(self, beginning: str) -> bool:
        """Whether it may become the closing line."""
        return _MAY_CLOSE.fullmatch(beginning) is not None

    def decided(self, line: str) -> str:
        """The line; nothing follows the closing one."""
        found = read_fence(line) if _MAY_CLOSE.fullmatch(line) else None
        self.ended = found is not None and self._fence.closed_by(found)
        return line.rstrip() if self.ended else line


class WrapFilter(LineFilter):
    """Unwraps an answer that stands as a whole in a ```` ```markdown ```` fence; the fences within it stay.

    A bare fence with text right below it opens code; one with an empty line or nothing below it closes the wrapping.
    """

    def __init__(self) -> None:
        super().__init__()
        self._beginning = True
        self._blank = ""  # blank lines at the beginning
        self._wrapping: Fence | None = None
        self._within: Fence | None = None
        self._bare = ""  # a line that closes the wrapping, if nothing stands right below it

    def wanted(self, beginning: str) -> bool:
        """Whether it may become a fence that counts."""
        if self._beginning:
            return _MAY_WRAP.fullmatch(beginning) is not None
        if self._bare:
            return not beginning.strip()
        return self._wrapping is not None and _MAY_BE_FENCE.fullmatch(beginning) is not None

    def decided(self, line: str) -> str:
        """The line, or nothing for the wrapping's fences."""
        if self._beginning:
            return self._opened(line)
        if self._wrapping is None:
            return line
        if self._bare:
            bare, self._bare = self._bare, ""
            if not line.strip():
                self._wrapping = None
                return line
            self._within = read_fence(bare)
            return bare + self._wrapped(line)
        return self._wrapped(line)

    def finish(self) -> str:
        """What was still held back."""
        rest = super().finish()
        return self._blank if self._beginning else rest

    def _opened(self, line: str) -> str:
        if not line.strip():
            self._blank += line
            return ""
        self._beginning = False
        fence = read_fence(line) if _MAY_WRAP.fullmatch(line) else None
        if fence is not None and fence.info.lower() in ("markdown", "md") and line.endswith("\n"):
            self._wrapping = fence
            return ""
        return self._blank + line

    def _wrapped(self, line: str) -> str:
        fence = read_fence(line) if _MAY_BE_FENCE.fullmatch(line) else None
        if fence is not None and self._wrapping is not None:
            if self._within is None and self._wrapping.closed_by(fence):
                self._bare = line
                return ""
            self._within = fence_after(self._within, line)
        return line
