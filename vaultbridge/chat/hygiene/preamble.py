"""What chat models say before they come to the point."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST_PREAMBLE = 120

_NOTES_WORDS = (
    r"(?:the|your|you|these|my|provided|given|above|following|available|supplied|retrieved|relevant|information|content"
    r"|contents|context|details|in|from|of|contained|found|personal|own|you've|have|shared|and|here|user's|"
    r"notes?|documents?|vault)"
)
_MARKS = r"(?:\s*\[\d{1,3}\])*"


@dataclass(frozen=True, slots=True)
class _Kind:
    """``leads`` begin it, one of ``ends`` ends it, and it is one if all of it matches ``whole``."""

    leads: tuple[str, ...]
    ends: str
    whole: re.Pattern[str]
    line: bool = False
    """Whether it must be a line of its own, if nothing stands in front of it."""


_ENDS = ",:.;!?，：。；！？\n"
_KINDS = (
    _Kind(
        (
            "based on ",
            "based upon ",
            "based solely on ",
            "based only on ",
            "according to ",
            "as per ",
            "from your note",
        ),
        _ENDS,
        re.compile(
            rf"(?:based (?:solely |only )?(?:on|upon)|according to|as per|from)(?: {_NOTES_WORDS})*? "
            rf"(?:notes?|context|information|documents?|vault)(?: {_NOTES_WORDS})*{_MARKS}[,:]",
            re.IGNORECASE,
        ),
    ),
    _Kind(
        ("here is ", "here's ", "here’s ", "here are ", "below is ", "below are ", "the following is "),
        ":.!?\n",
        re.compile(r"(?:here(?: is|['’]s| are)|below (?:is|are)|the following is)[^:.!?\n]*:", re.IGNORECASE),
        line=True,
    ),
    _Kind(
        ("根据", "基于", "依据", "按照"),
        _ENDS,
        re.compile(
            r"(?:根据|基于|依据|按照)(?:您|你|用户|我|所|的|提供|给出|给定|以上|上述|上面|这些|现有|已有|相关|中|里|内|和|与|及)*"
            rf"(?:笔记|资料|文档|上下文)(?:笔记|资料|文档|内容|信息|上下文|中|里|的|记载|所述)*{_MARKS}[，：,:]"
        ),
    ),
    _Kind(
        ("以下是", "下面是", "这是", "这里是"),
        "：:。！？\n",
        re.compile(r"(?:以下是|下面是|这是|这里是)[^：:。！？\n]*[：:]"),
        line=True,
    ),
    _Kind(
        ("提供された", "ご提供", "あなたの", "いただいた", "与えられた", "ノート", "メモ", "上記の", "以上の"),
        "、，,。：:！？\n",
        re.compile(
            r"(?:提供された|ご提供いただいた|あなたの|いただいた|与えられた|上記の|以上の)*(?:ノート|メモ)(?:の(?:内容|情報))?"
            rf"(?:に(?:よると|よれば|基づくと|基づいて|もとづいて)|を(?:もと|基)に(?:すると|して)?){_MARKS}[、，,：:]"
        ),
    ),
    _Kind(
        ("제공된", "제공해", "제공하신", "주어진", "당신의", "사용자의", "귀하의", "위 노트", "위의", "노트", "메모"),
        ",，.:!?\n",
        re.compile(
            r"(?:(?:제공된|제공해 주신|제공하신|주어진|당신의|사용자의|귀하의|위의?) )*(?:노트|메모)(?:의? 내용)?"
            rf"(?:에 따르면|를 바탕으로|을 바탕으로|에 기반하여|를 기반으로|에 의하면)(?: 하면)?{_MARKS}[,，:]"
        ),
    ),
)
_YES = ("sure", "sure thing", "certainly", "of course", "absolutely", "okay", "ok", "great question", "good question")
_YES_ELSEWHERE = ("好的", "当然", "当然可以", "没问题", "もちろん", "もちろんです", "はい", "물론", "물론입니다", "네")
_INTERJECTION = re.compile(
    rf"(?:{'|'.join(sorted((*_YES, *_YES_ELSEWHERE), key=len, reverse=True))})[!,.，。！、:：]\s*", re.IGNORECASE
)


def preamble(text: str, final: bool) -> int | None:
    """A part of an opening: "Based on your notes, …", "Sure! Here is …:" and their like in the house's languages."""
    said = text[:LONGEST_PREAMBLE]
    final = final or len(said) == LONGEST_PREAMBLE
    folded = said.lower()
    if not final and any(word.startswith(folded) for word in (*_YES, *_YES_ELSEWHERE)):
        return None
    yes = _INTERJECTION.match(said)
    begun = yes.end() if yes else 0
    if begun == len(said):
        return 0 if final else None
    for kind in _KINDS:
        if (length := _read(kind, said[begun:], final, line=kind.line and not yes)) != 0:
            return length if length is None else begun + length
    return 0


def _read(kind: _Kind, said: str, final: bool, *, line: bool) -> int | None:
    undecided = 0 if final else None
    folded = said.lower()
    if not folded.startswith(kind.leads):
        return undecided if any(lead.startswith(folded) for lead in kind.leads) else 0
    end = next((at for at, character in enumerate(said) if character in kind.ends), None)
    if end is None:
        return undecided
    if not kind.whole.fullmatch(said[: end + 1]):
        return 0
    below = said[end + 1 :].lstrip(" \t\r")
    if line and not below.startswith("\n"):
        return undecided if not below else 0
    return end + 1
