"""What the clients of ``lab.soak`` ask, and the notes that they ask about."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

_TOPICS = ("tides", "bread", "bees", "clocks", "rivers", "violins", "glass", "orchards")
_WORDS = ("slow", "bright", "early", "heavy", "small", "cold", "quiet", "sweet")
_SYSTEM = "You answer in short plain sentences, and say so where you do not know something. " * 3
_OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"n": 2},
    {"temperature": 0},
    {"seed": 7, "stop": ["."]},
    {"logprobs": True, "top_logprobs": 3},
    {"response_format": {"type": "json_object"}},
    {"frequency_penalty": 0.5, "dry_multiplier": 0.8},
)
NOTES = {
    f"{topic.title()}.md": f"# {topic.title()}\n\n## Facts\n\n"
    + " ".join(f"The {word} {topic} are best known for being {_WORDS[-number]}." for number, word in enumerate(_WORDS))
    for topic in _TOPICS
}
"""A vault: file names and texts."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request; its answer has so many ``choices``."""

    path: str
    body: dict[str, Any]
    choices: int = 1


def endless(random: Random, tokens: int, words: int = 12) -> Ask:
    """A stream of so many tokens that no model ends earlier, on a question with a beginning of its own."""
    return Ask(
        "/v1/chat/completions",
        {
            "model": "x@plain",
            "messages": [{"role": "user", "content": _text(random, words)}],
            "stream": True,
            "max_tokens": tokens,
            "ignore_eos": True,
        },
    )


def mixed(random: Random) -> Ask:
    """A small request of any kind: streams and whole answers, chats and completions, grounded or not, and warming."""
    tokens = random.choice((8, 8, 12, 16, 32))
    stream = random.random() < 0.7
    if random.random() < 0.15:
        text = _text(random, random.randint(3, 25))
        return Ask("/v1/completions", {"model": "x@plain", "prompt": text, "max_tokens": tokens, "stream": stream})
    system = [{"role": "system", "content": _SYSTEM}] if random.random() < 0.6 else []
    asked = f"What is known about {random.choice(_TOPICS)} that are {random.choice(_WORDS)}?"
    turns = [{"role": "user", "content": asked}]
    if random.random() < 0.2:
        turns += [
            {"role": "assistant", "content": _text(random, 8)},
            {"role": "user", "content": _text(random, 6)},
        ]
    grounded = random.random() < 0.1
    body: dict[str, Any] = {
        "model": "x@vault" if grounded else "x@plain",
        "messages": system + turns,
        "vaultbridge": {"k": 2},
    }
    if random.random() < 0.05:
        return Ask("/vault/warm", body, choices=0)
    options = random.choice(_OPTIONS)
    return Ask(
        "/v1/chat/completions", body | options | {"max_tokens": tokens, "stream": stream}, int(options.get("n", 1))
    )


def _text(random: Random, words: int) -> str:
    return " ".join(random.choice(_WORDS + _TOPICS) for _ in range(words)) + "?"
