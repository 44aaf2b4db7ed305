"""What the engine itself makes of a model, without HTTP: each figure as a ratio within one run.

``python -m vaultbridge.lab.engine_figures MODEL.gguf --notes FOLDER``. FOLDER holds Markdown notes, some thousands of
words.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from vaultbridge.core.dialogue import (
    Continuation,
    Conversation,
    GroundedPrompt,
    Message,
    NoteBlock,
    Piece,
    PromptNote,
    Sampling,
)
from vaultbridge.core.ports import Decoder, Segment
from vaultbridge.engine.calls import Generate
from vaultbridge.engine.costs import BatchCosts
from vaultbridge.engine.engine import Engine
from vaultbridge.engine.launch import share_cores
from vaultbridge.engine.load import load_class
from vaultbridge.lab.answers import Answer, answers
from vaultbridge.lab.stopwatch import Stopwatch

LLAMA = "vaultbridge.backends.llama:LlamaDecoder"
CONTEXT = 8192
GREEDY = Sampling(temperature=0, repeat_penalty=1.0, max_tokens=96)
FREE = Sampling(temperature=0.8, seed=1, repeat_penalty=1.0, max_tokens=96, ignore_eos=True)
"""Warm enough that a small model does not go round in circles, which drafts would profit from."""
WINDOWS = 4
"""Stretches of the notes that answers quote from."""
OTHERS = (0, 2048, 6144)
"""Cells of the cache that other sequences hold, while one is timed."""
QUOTES = 0.7
"""An answer of which so much stands in its notes, in stretches of eight tokens and more, is one that quotes."""


class Figures:
    """The figures of one model over one folder of notes."""

    def __init__(self, decoder: Decoder, notes: str, rounds: int) -> None:
        self._decoder = decoder
        self._tokens = decoder.tokenize(notes)
        self._rounds = rounds
        self._costs = BatchCosts()
        Engine(decoder, costs=self._costs).calibrate()

    def text(self, tokens: int, start: int = 0) -> str:
        """So many tokens of the notes."""
        data = b"".join(map(self._decoder.token_bytes, self._tokens[start : start + tokens]))
        return data.decode(errors="ignore")

    def clear(self) -> None:
        """Empty the cache."""
        for slot in range(self._decoder.slots):
            self._decoder.truncate(slot, 0)

    def engine(self, *, drafts: bool = False, decoder: Decoder | None = None) -> Engine:
        """One whose cache is empty, and which knows the machine as one does that has run for a while."""
        self.clear()
        return Engine(decoder or self._decoder, drafts=drafts, costs=self._costs)

    def ask(self, text: str) -> GroundedPrompt:
        """A prompt for a chat model; for a base model, a text to go on with."""
        prompt = Conversation((Message("user", (text,)),)) if self._decoder.info.chat else Continuation(text)
        return GroundedPrompt(prompt)

    def decode(self) -> str:
        """One client against a bare loop over the same decoder."""
        prompt = self.ask(self.text(500) + "\n\nTell a story.")
        sampling = replace(GREEDY, ignore_eos=True)
        ratios, speeds = [], []
        for _ in range(self._rounds):
            bare = self._bare(prompt, sampling)
            speeds.append(answers(self.engine(), [prompt], sampling)[0].speed)
            ratios.append(speeds[-1] / bare)
        return f"{statistics.median(speeds):.1f} tokens/s, {statistics.median(ratios):.3f} of a bare loop"

    def _bare(self, prompt: GroundedPrompt, sampling: Sampling) -> float:
        self.clear()
        decoder = self._decoder
        tokens, _ = decoder.render(prompt.prompt)
        for at in range(0, len(tokens), decoder.batch_size):
            chunk = tokens[at : at + decoder.batch_size]
            decoder.decode([Segment(0, at, chunk, outputs=int(at + len(chunk) == len(tokens)))])
        sampler = decoder.sampler(sampling)
        token = sampler.sample(len(chunk) - 1)
        start = time.perf_counter()
        count = (sampling.max_tokens or 1) - 1
        for position in range(len(tokens), len(tokens) + count):
            decoder.decode([Segment(0, position, [token], outputs=1)])
            token = sampler.sample(0)
        sampler.close()
        return count / (time.perf_counter() - start)

    def overhead(self) -> str:
        """Milliseconds of a step that are neither the model's nor the sampler's, and of a sampled token: medians."""
        lines = []
        for clients, sampling in ((1, GREEDY), (4, GREEDY), (1, Sampling(max_tokens=96))):
            watch = Stopwatch(self._decoder)
            engine = self.engine(drafts=True, decoder=watch)
            prompts = [self.ask(self.text(100, 100 * i) + "\n\nTell a story.") for i in range(clients)]
            for call, prompt in enumerate(prompts):
                engine.submit(call, Generate(prompt, replace(sampling, ignore_eos=True)))
            watch.sampling, own = [], []
            while engine.busy:
                watch.decoding, sampled, start = 0.0, len(watch.sampling), time.perf_counter()
                engine.step()
                own.append(time.perf_counter() - start - watch.decoding - sum(watch.sampling[sampled:]))
            kind = "greedy" if sampling is GREEDY else "default settings"
            lines.append(
                f"{clients} sequences, {kind}: {statistics.median(own) * 1000:.3f} ms a step, "
                f"sampling {statistics.median(watch.sampling) * 1000:.3f} ms a token"
            )
        return "\n    ".join(lines)

    def turns(self) -> str:
        """Time to the first token: cold, the next turn with one new note, and after warming."""
        seconds, thirds = [], []
        sampling = replace(GREEDY, max_tokens=48)
        notes = [PromptNote(i + 1, f"[{i + 1}] Note {i + 1}\n{self.text(300, 300 * i)}") for i in range(5)]
        opening, rules = "Notes from the vault:", "Answer from the notes and cite them."
        old, new = NoteBlock(tuple(notes[:4]), opening), NoteBlock(tuple(notes[4:]), opening)
        for _ in range(self._rounds):
            first = Message("user", ("What do the notes say about templates?",))
            prompt = GroundedPrompt(Conversation((first,)), old, instructions=rules, budget=4000)
            engine = self.engine(drafts=True)
            cold = answers(engine, [prompt], sampling)[0]
            said = Message("assistant", (cold.text,), tokens=cold.end.tokens)
            talk = Conversation((first, said, Message("user", ("And about folders?",))))
            follow = GroundedPrompt(talk, new, {0: old}, rules, budget=4000)
            second = answers(engine, [follow], sampling)[0]
            seconds.append(second.stamps[0] / cold.stamps[0])
            engine = self.engine(drafts=True)
            draft = Message("user", ("What do the notes say",))
            answers(engine, [replace(prompt, prompt=Conversation((draft,)))], sampling, warm=True)
            warm = answers(engine, [prompt], sampling)[0]
            thirds.append(warm.stamps[0] / cold.stamps[0])
        return (
            f"cold {cold.stamps[0] * 1000:,.0f} ms for {cold.end.usage.prompt_tokens} tokens; second turn "
            f"{statistics.median(seconds):.3f} of it ({second.end.usage.cached_tokens} of "
            f"{second.end.usage.prompt_tokens} tokens cached); after warm {statistics.median(thirds):.3f} of it"
        )

    def drafts(self) -> str:
        """Drafted against undrafted speed: answers that quote, that do not, and pure copying."""
        quoting, told = [], []
        for window in range(WINDOWS):
            text = self.text(1150, 1150 * window)
            paragraphs = [part for part in text.split("\n\n") if len(part) > 200 and not part.startswith("#")]
            for part in paragraphs[:4]:
                start = " ".join(part.split()[:8])
                quoting.append(GroundedPrompt(Continuation(f"{text}\n\nThe note says:\n\n> {start}")))
            told.append(self.ask(f"{text}\n\n{_STORIES[window % len(_STORIES)]}"))
        copied = self.text(400)
        copying = [GroundedPrompt(Continuation(f"{copied}\n\n{copied}\n\n{copied}\n\n{self.text(20)}"))]
        pairs = [self._pair(prompt, GREEDY) for prompt in quoting]
        quoted = [
            pair
            for prompt, pair in zip(quoting, pairs, strict=True)
            if min(self._quoted(prompt, answer) for answer in pair) >= QUOTES
        ]
        lines = [f"quoting: {_drafted(pairs)}"]
        if quoted:
            lines.append(f"quoting, {QUOTES:.0%} of both answers quoted: {_drafted(quoted)}")
        lines.append(f"not quoting: {_drafted([self._pair(prompt, FREE) for prompt in told * self._rounds])}")
        lines.append(f"copying: {_drafted([self._pair(prompt, GREEDY) for prompt in copying * self._rounds])}")
        return "\n    ".join(lines)

    def _pair(self, prompt: GroundedPrompt, sampling: Sampling) -> tuple[Answer, Answer]:
        """An answer without drafts, and one with them."""
        plain = answers(self.engine(), [prompt], sampling)[0]
        return plain, answers(self.engine(drafts=True), [prompt], sampling)[0]

    def _quoted(self, prompt: GroundedPrompt, answer: Answer, length: int = 8) -> float:
        tokens, _ = self._decoder.render(prompt.prompt)
        known = {tuple(tokens[i : i + length]) for i in range(len(tokens) - length + 1)}
        said = answer.end.tokens
        covered = set[int]()
        for i in range(len(said) - length + 1):
            if said[i : i + length] in known:
                covered.update(range(i, i + length))
        return len(covered) / max(1, len(said))

    def company(self) -> str:
        """What a prompt's token and steps of one and of eight rows cost beside what others hold in the cache."""
        tokens = (self._tokens * (-(-CONTEXT // len(self._tokens))))[:CONTEXT]
        lines = []
        for others in OTHERS:
            self.clear()
            for slot in range(others // 1024):
                self._timed(slot + 1, 0, tokens[:1024])
            samples = []
            for _ in range(self._rounds):
                self._decoder.truncate(0, 0)
                prompt = self._timed(0, 0, tokens[:1024]) / 1024
                ones = [self._timed(0, 1024 + i, tokens[i : i + 1], rows=True) for i in range(12)]
                eights = [self._timed(0, 1036 + 8 * i, tokens[8 * i : 8 * i + 8], rows=True) for i in range(6)]
                samples.append((prompt, statistics.median(ones), statistics.median(eights)))
            prompt, one, eight = (statistics.median(column) * 1000 for column in zip(*samples, strict=True))
            lines.append(
                f"{others:,} cells of others: {prompt:.2f} ms for a prompt's token, {one:.1f} for a row, "
                f"{eight:.1f} for eight"
            )
        return "\n    ".join(lines)

    def _timed(self, slot: int, start: int, tokens: Sequence[int], *, rows: bool = False) -> float:
        """Seconds to decode these tokens, every one of them with its logits or none."""
        began = time.perf_counter()
        for at in range(0, len(tokens), self._decoder.batch_size):
            chunk = list(tokens[at : at + self._decoder.batch_size])
            self._decoder.decode([Segment(slot, start + at, chunk, outputs=len(chunk) if rows else 1)])
        return time.perf_counter() - began

    def gap(self) -> str:
        """The longest gap of a stream while another client's prompt of 4,000 tokens is prefilled."""
        engine = self.engine(drafts=True)
        stream, sampling = (
            self.ask("Tell a long story of a lighthouse."),
            replace(GREEDY, ignore_eos=True, max_tokens=400),
        )
        engine.submit(0, Generate(stream, sampling))
        stamps: list[float] = []
        first = 0.0
        start = time.perf_counter()
        while engine.busy:
            for call, event in engine.step():
                now = time.perf_counter()
                if isinstance(event, Piece) and call == 0:
                    stamps.append(now)
                    if len(stamps) == 10:
                        start = now
                        engine.submit(1, Generate(self.ask(self.text(4000)), replace(GREEDY, max_tokens=4)))
                elif isinstance(event, Piece):
                    first = first or now - start
            if first:
                break
        gaps = [later - earlier for earlier, later in pairwise(stamps)]
        return (
            f"longest {max(gaps) * 1000:.0f} ms, median {statistics.median(gaps) * 1000:.0f} ms; "
            f"the other's first token after {first:.1f} s"
        )

    def identity(self) -> str:
        """Whether greedy answers are the same alone and in company, drafted and not, and where they part."""
        prompts = [self.ask(f"{self.text(200, 200 * i)}\n\nTell a story.") for i in range(4)]
        sampling = replace(GREEDY, logprobs=2)
        alone = [answers(self.engine(), [prompt], sampling)[0] for prompt in prompts]
        again = [answers(self.engine(), [prompt], sampling)[0] for prompt in prompts]
        four = answers(self.engine(), prompts, sampling)
        drafted = [answers(self.engine(drafts=True), [prompt], sampling)[0] for prompt in prompts]
        lines = []
        for name, others in (("alone again", again), ("in a batch of four", four), ("drafted", drafted)):
            same = [one.end.tokens == other.end.tokens for one, other in zip(alone, others, strict=True)]
            lines.append(f"{name}: {sum(same)} of {len(same)} answers identical")
            lines += [_parting(one, other) for one, other in zip(alone, others, strict=True)]
        return "\n    ".join(lines)


def _parting(one: Answer, other: Answer) -> str:
    """How far the same tokens' log-probabilities were moved, and how near the two were where the answers part."""
    moved, ends = 0.0, "the same to the end"
    for at, (a, b) in enumerate(zip(one.logprobs, other.logprobs, strict=False)):
        if a.data != b.data:
            margins = " and ".join(f"{it.top[0].logprob - it.top[1].logprob:.3f}" for it in (a, b))
            ends = f"parted at token {at}, where the best two were {margins} apart"
            break
        moved = max(moved, abs(a.logprob - b.logprob))
    return f"    log-probabilities moved by up to {moved:.3f}; {ends}"


_STORIES = (
    "Forget all this. Write a poem about the sea and a lighthouse keeper's daughter.",
    "Now something else: once upon a time, far from here, there lived a king who",
    "Explain to a child why the sky is blue.",
)


def _drafted(pairs: Sequence[tuple[Answer, Answer]]) -> str:
    def speed(chosen: Sequence[Answer]) -> float:
        return sum(len(answer.end.tokens) - 1 for answer in chosen) / sum(
            answer.stamps[-1] - answer.stamps[0] for answer in chosen
        )

    plain, drafted = speed([pair[0] for pair in pairs]), speed([pair[1] for pair in pairs])
    offered = sum(pair[1].end.timings.drafted for pair in pairs)
    taken = sum(pair[1].end.timings.accepted for pair in pairs)
    same = sum(pair[0].end.tokens == pair[1].end.tokens for pair in pairs)
    return (
        f"{drafted / plain:.2f} times as fast ({plain:.1f} → {drafted:.1f} tokens/s; {taken} of {offered} drafted "
        f"tokens accepted; {same} of {len(pairs)} answers identical)"
    )


def notes_of(folder: Path) -> str:
    """The notes of a folder without their front matter, one after the other."""
    texts = [file.read_text(errors="replace") for file in sorted(folder.rglob("*.md"))]
    return "\n\n".join(re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL).strip() for text in texts)


def main() -> None:
    """Print the figures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--notes", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    names = ("decode", "overhead", "turns", "drafts", "company", "gap", "identity")
    parser.add_argument("--only", action="append", choices=names)
    parser.add_argument("--flash-attention", choices=("auto", "on", "off"), default="auto")
    options = parser.parse_args()
    share_cores()
    decoder = load_class(LLAMA)(options.model, options.model.stem, CONTEXT, flash_attention=options.flash_attention)
    figures = Figures(decoder, notes_of(options.notes), options.rounds)
    for name in options.only or names:
        figure: Callable[[], str] = getattr(figures, name)
        print(f"{name}: {figure()}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
