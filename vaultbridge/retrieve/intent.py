"""What a request is after: an answer that the vault may hold, work on a text that it brings along itself, or talk."""

from __future__ import annotations

import re
from typing import Literal

from vaultbridge.core.dialogue import Prompt
from vaultbridge.retrieve.draft import Draft, asks, newest_draft
from vaultbridge.vault.measure import measure

Intent = Literal["question", "title", "suggestion", "rewriting", "code", "talk"]
"""Only a question wants the vault. ``title``: tags and follow-up questions too, which clients ask for on their own;
``rewriting``: summing up and translating too; ``talk``: greetings, thanks, questions about whom one talks to."""

FEWEST_TOKENS = 5
"""What measures less is no text to work on: ``Translate: hive`` asks for notes."""
FEWEST_TO_SUM_UP = 15
"""The same where the text is to be summed up: ``Summarize: the bees in winter``."""
LONGEST_INSTRUCTION = 400
LONGEST_TALK = 80

# Default prompts of Text Generator: its command "Generate a Title", and its suggestions while one types.
_KNOWN: tuple[tuple[Intent, re.Pattern[str]], ...] = (
    ("title", re.compile(r"\A\s*Generate a title for the current document \(do not use ")),
    ("suggestion", re.compile(r"\A\s*Continue the follo?wing text:[ \t]*\n", re.IGNORECASE)),
)

_BEGINS = r"\A\W*(?:(?:please|kindly|can you|could you|would you|act as [^.]*\.)\s+)*(?:carefully\s+)?"
_SUMS_UP = re.compile(
    _BEGINS + r"(?:summari[sz]e|tl;?dr"
    r"|(?:make|create|write|give(?: me)?|provide)\s+(?:an?\s+)?(?:[\w-]+\s+){0,3}summary\s+of)\b"
    r"|总结|概括|摘要|归纳",
    re.IGNORECASE,
)
_TASKS = re.compile(
    _BEGINS + r"(?:translate|rewrite|rephrase|reword|paraphrase|proofread|simplify|shorten|condense|expand"
    r"|reduce|polish|improve|correct|fix|edit|convert|refactor|finali[sz]e"
    r"|(?:make|turn|change|put)\s+(?:it|this|the\s+(?:following|text|sentence|paragraph))"
    r"|act as an assistant helping find action items inside a document)\b"
    r"|翻译|译成|译为|改写|改成|改得|改一下|润色|重写|校对|修正|纠正|修改|错别字|简化|缩写|缩短|扩写|精简|换.{0,2}种?说法",
    re.IGNORECASE,
)
_TITLES = re.compile(
    _BEGINS + r"(?:generate|write|suggest|create|give(?: me)?)\s+(?:an?\s+)?(?:[\w-]+\s+){0,2}title\s+for\b"
    r"|(?:生成|起|拟|写|取).{0,6}标题",
    re.IGNORECASE,
)
# What clients ask for themselves, of a conversation that they bring along.
_OF_A_CONVERSATION = re.compile(
    rf"\A(?=.{{0,{LONGEST_INSTRUCTION}}}?\b(?:(?:this|the|an?|our) (?:conversation|chat|dialogue)|chat.?history)\b)"
    rf".{{0,{LONGEST_INSTRUCTION}}}?\b(?:generate|create|write|suggest|provide)\b[^\n]{{0,60}}?"
    r"\b(?:titles?|tags|follow-?ups?)\b"
    rf"|\A(?=.{{0,{LONGEST_INSTRUCTION}}}?对话).{{0,{LONGEST_INSTRUCTION}}}?(?:生成|起|拟|写|推荐|给出)"
    r"[^\n]{0,20}(?:标题|标签|问题)",
    re.IGNORECASE | re.DOTALL,
)
# Who speaks of itself or to the model alone; what follows a greeting may still be a question.
_GREETING = re.compile(
    r"\A\W*(?:"
    r"(?:hi|hello|hey|good (?:morning|afternoon|evening|night)|thanks?|thank you|bye|goodbye)\b"
    r"(?: (?:there|again|all|everyone)\b)?\W*"
    r"|(?:(?:ok(?:ay)?|great|perfect|sorry|cheers)\b ?)+(?:[,.!]\s*|\Z)"
    r")+"
    r"|\A\W*(?:你好|您好|早上好|下午好|晚上好|晚安|谢谢|多谢|感谢|再见|好的|辛苦了)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,.!;:，。！；：\n]|\b(?:and|but|please)\b", re.IGNORECASE)
_TALK = re.compile(
    r"\A\W*(?:how are you|how(?:'s| is) it going|what'?s up|who are you|what are you|what can you do|are you an? |"
    r"what(?:'s| is) your name|(?:please )?tell me (?:a|another) (?:\w+ )?(?:joke|riddle|story)\W*\Z)"
    r"|\A\W*(?:你是谁|你是什么|你是不是|你叫什么|你能做什么|你会什么|(?:给我)?(?:讲|说)(?:一?个)(?:笑话|故事)吧?\W*\Z)",
    re.IGNORECASE,
)
# A phrase of no note: its words in another language.
_SAID_ABROAD = re.compile(
    r"\bhow (?:do|would|can) (?:you|i|we|one) say\b.{1,80}\bin [a-z]+\W*\Z|用[^，。\n]{1,4}[语文]怎么(?:说|写)",
    re.IGNORECASE,
)
_BROUGHT_BELOW = re.compile(
    r"\b(?:following|below|selected_?text|inside a document)\b|[:：]\s*\Z"
    r"|以下|下面|下列|如下|这段|这篇|这句|此段|选中|所选"
    r"|\bthis (?:text|passage|paragraph|article|section|e-?mail|message|sentence|document|code|function|snippet)\b",
    re.IGNORECASE,
)
_BROUGHT_ABOVE = re.compile(
    r"\babove\b|上面|上述|以上|这段|这篇"
    r"|\bthis (?:text|passage|paragraph|article|section|e-?mail|message|document|code|function|snippet)\b",
    re.IGNORECASE,
)
_WANTS_VAULT = re.compile(
    r"\bvault\b|\b(?:my|our|all|other|related) (?:\w+ ){0,2}notes?\b|\b(?:from|with|using|in|on) (?:the )?notes\b|\[\["
    r"|(?<!\S)(?:tag|path):\S|我的.{0,4}笔记|所有笔记|其他笔记|相关笔记|笔记库|笔记中|笔记里",
    re.IGNORECASE,
)
_NAMES_VAULT = re.compile(
    r"\b(?:my|our) (?:\w+ ){0,2}(?:notes?|vault|journal|diary)\b|\b(?:in|from) (?:the|this) vault\b"
    r"|我的?.{0,4}(?:笔记|日记|日志)|所有笔记|笔记库|笔记中|笔记里",
    re.IGNORECASE,
)
# Copilot's way to bring a text along.
_TAGGED = re.compile(r"<(?P<tag>text|selected_?text)>(?P<text>.*)</(?P=tag)>", re.DOTALL | re.IGNORECASE)
_INSTRUCTION_FIRST = re.compile(
    rf"\s*(?P<instruction>[^\n]{{1,{LONGEST_INSTRUCTION}}}?(?:[:：]|(?=\n)))(?P<text>.+)", re.DOTALL
)
_INSTRUCTION_LAST = re.compile(
    rf"(?P<text>.+)\n[ \t]*(?P<instruction>[^\n]{{1,{LONGEST_INSTRUCTION}}})\s*\Z", re.DOTALL
)
_ASKED_BELOW = re.compile(r"\S\s*\n[ \t]*\n[^\n]*[?？]\s*\Z")


def read_intent(prompt: Prompt) -> Intent:
    """What a prompt's newest text is after. In doubt it is a question: a note too many harms less than one too few."""
    draft = newest_draft(prompt)
    for intent, pattern in _KNOWN:
        if pattern.match(draft.text):
            return intent
    if draft.fence is not None:
        return "code"
    if not draft.title and _is_talk(draft):
        return "talk"
    if _OF_A_CONVERSATION.match(draft.text) and not _WANTS_VAULT.search(draft.text):
        return "title"
    if _SAID_ABROAD.search(draft.text):
        return "rewriting"
    if tagged := _TAGGED.search(draft.text):
        return _work(draft.text[: tagged.start()].replace("<instruction>", ""), tagged["text"])
    first = _INSTRUCTION_FIRST.match(draft.text)
    # Editors send everything above the cursor again: a question at its end is what is asked now.
    if first and _BROUGHT_BELOW.search(first["instruction"]) and not _ASKED_BELOW.search(first["text"]):
        intent = _work(first["instruction"], first["text"])
        if intent != "question":
            return intent
    last = _INSTRUCTION_LAST.match(draft.text)
    if last and _BROUGHT_ABOVE.search(last["instruction"]):
        return _work(last["instruction"], last["text"])
    return "question"


def names_the_vault(question: str) -> bool:
    """Whether a question says itself that the notes shall answer it, however little they have to do with it."""
    return _NAMES_VAULT.search(question) is not None


def _is_talk(draft: Draft) -> bool:
    if len(draft.text) > LONGEST_TALK:
        return False
    if _TALK.match(draft.text):
        return True
    greeting = _GREETING.match(draft.text)
    return greeting is not None and not any(map(asks, _CLAUSE.split(draft.text[greeting.end() :])))


def _work(instruction: str, text: str) -> Intent:
    size = measure(text.strip())
    if _WANTS_VAULT.search(instruction) or size < FEWEST_TOKENS:
        return "question"
    if _TITLES.search(instruction):
        return "title"
    if _TASKS.search(instruction) or (size >= FEWEST_TO_SUM_UP and _SUMS_UP.search(instruction)):
        return "rewriting"
    return "question"
