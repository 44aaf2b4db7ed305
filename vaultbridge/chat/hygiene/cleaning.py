"""The filters of editor hygiene in their order."""

from __future__ import annotations

from vaultbridge.chat.hygiene.fences import CodeFilter, FenceCloser, WrapFilter
from vaultbridge.chat.hygiene.links import LinkFilter
from vaultbridge.chat.hygiene.opening import OpeningFilter, echo_of, front_matter, repeated
from vaultbridge.chat.hygiene.preamble import preamble
from vaultbridge.chat.hygiene.repeats import RepeatFilter
from vaultbridge.chat.hygiene.thinking import ThinkingFilter
from vaultbridge.chat.known_links import KnownLinks
from vaultbridge.chat.marks import MarkFilter
from vaultbridge.chat.stream import Chain, TextFilter
from vaultbridge.retrieve.draft import Draft


def cleaning(draft: Draft, marks: MarkFilter, known: KnownLinks | None, *, editor: bool) -> TextFilter:
    """What an answer behind ``draft`` goes through; with ``known`` None its links are left alone.

    In an ``editor`` the answer to a draft that ends in code is code, and nothing but code.
    """
    if editor and draft.fence is not None:
        return Chain(
            ThinkingFilter(),
            OpeningFilter(preamble, repeated(draft.fence, empty=draft.fence_is_last)),
            CodeFilter(draft.fence),
            RepeatFilter(),
            FenceCloser(draft.fence),
        )
    links = [LinkFilter(known)] if known is not None else []
    return Chain(
        ThinkingFilter(),
        OpeningFilter(front_matter, preamble, echo_of(draft.last_line)),
        WrapFilter(),
        OpeningFilter(front_matter, preamble),  # once more, within what was wrapped
        *links,
        marks,
        RepeatFilter(),
        FenceCloser(),
    )
