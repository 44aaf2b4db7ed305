"""``python -m vaultbridge.lab.citations FOLDER``: whether the citations of a real server's answers hold.

FOLDER is a test collection in the BEIR layout, whose documents become a vault. Questions are drawn from it, asked over
HTTP with temperature 0, and for each answer is counted: whether every link leads to a place that stands in the vault's
files, whether the document that answers the question is among those cited, which of the marks lead to it, and how many
sentences are flagged. For control each answer is also compared with the notes of the question before: how often is one
of those named? Prints one JSON document.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from vaultbridge.chat.citations import attribute
from vaultbridge.chat.marks import MarkFilter
from vaultbridge.chat.sentences import sentences
from vaultbridge.chat.support import Support, tells
from vaultbridge.core.notes import NotePath, Span
from vaultbridge.core.search import Citation
from vaultbridge.lab.collection import Collection, read_collection, write_vault
from vaultbridge.lab.follow import Served
from vaultbridge.vault.files import Vault
from vaultbridge.vault.formats import read_note
from vaultbridge.vault.inline import local_link, wikilink

SEED = 11
_WIKILINK = re.compile(r"\[\[([^\[\]\n]+)\]\]")
_MARKDOWN_LINK = re.compile(r"\[[^\n]*\]\((\S+)\)")
_MARKS = re.compile(r"(?: ?\[\d+\])+")
_NUMBER = re.compile(r"\[(\d+)\]")


class Places:
    """What links may lead to, read from the files and not from the index."""

    def __init__(self, root: Path) -> None:
        self._vault = Vault(root)
        self._files = [file.relative_to(root).as_posix() for file in root.rglob("*.md")]

    def stands(self, link: str) -> bool:
        """Whether a link names one note of the vault, and a heading or block that is in it."""
        if found := _WIKILINK.fullmatch(link):
            target, fragment, _ = wikilink(found[1])
        elif (found := _MARKDOWN_LINK.fullmatch(link)) and (place := local_link(found[1])):
            target, fragment = place[0].removesuffix(".md"), place[1]
        else:
            return False
        named = [file for file in self._files if f"/{file}".endswith(f"/{target}.md")]
        return len(named) == 1 and (not fragment or self._holds(NotePath(named[0]), fragment))

    def citations(self, reply: Mapping[str, Any]) -> list[Citation]:
        """The citations of a reply with their whole text."""
        return [self._citation(view) for view in reply["vaultbridge"]["citations"]]

    def _citation(self, view: Mapping[str, Any]) -> Citation:
        note, _ = read_note(*self._vault.read(NotePath(view["path"])))
        span = Span(**view["span"])
        quote = note.text[span.start : span.end]
        return Citation(view["number"], note.path, view["heading"], span, quote, view["link"], context=note.title)

    def _holds(self, path: NotePath, fragment: str) -> bool:
        note, _ = read_note(*self._vault.read(path))
        if fragment.startswith("^"):
            return fragment[1:] in note.blocks
        headings = iter(_letters(heading.text) for heading in note.headings)
        return all(_letters(part) in headings for part in fragment.split("#"))


@dataclass(slots=True)
class Tally:
    """What was counted so far."""

    questions: int = 0
    retrieved: int = 0
    cited: int = 0
    unsourced: int = 0
    links: int = 0
    real_links: int = 0
    right: int = 0
    right_cited: int = 0
    marks: int = 0
    gold_marks: int = 0
    marked_answers: int = 0
    gold_marked_answers: int = 0
    sentences: int = 0
    flagged: int = 0
    controls: int = 0
    controls_named: int = 0
    dead: list[str] = field(default_factory=list)

    def add(self, reply: Mapping[str, Any], gold: Iterable[str], answers: Iterable[str], places: Places) -> None:
        """Count one reply; ``gold`` are the paths of the notes that answer, ``answers`` the words that do."""
        text = reply["choices"][0]["message"]["content"]
        ours = reply["vaultbridge"]
        citations = {citation["number"]: citation for citation in ours["citations"]}
        right = {number for number, citation in citations.items() if citation["path"] in set(gold)}
        marked = [int(number) for number in _NUMBER.findall(text)]
        shown = {*ours["used"], *marked}
        self.questions += 1
        self.retrieved += bool(right)
        self.cited += bool(right & shown)
        self.unsourced += not shown
        for number in sorted(shown):
            link = citations[number]["link"] if number in citations else f"[{number}]"
            self._link(link, places)
        for found in _WIKILINK.finditer(text):
            self._link(found[0], places)
        said = text.casefold()
        if any(answer.casefold() in said for answer in answers):
            self.right += 1
            self.right_cited += bool(right & shown)
        self.marks += len(marked)
        self.gold_marks += sum(number in right for number in marked)
        self.marked_answers += bool(marked)
        self.gold_marked_answers += bool(right.intersection(marked))
        self.sentences += sum(map(tells, sentences(_MARKS.sub("", text))))
        self.flagged += len(ours["unsupported"])

    def control(self, text: str, others: Sequence[Citation]) -> None:
        """Count an answer that has nothing to do with the notes it is compared with."""
        shown = {citation.number: f"[{citation.number}]" for citation in others}
        support = Support(others)
        marks = MarkFilter(others, support, own=shown, inserted=shown)
        said = marks.push(_MARKS.sub("", text)) + marks.finish()
        self.controls += 1
        self.controls_named += bool(attribute(support.of(said), marks.credit, others))

    def _link(self, link: str, places: Places) -> None:
        real = places.stands(link)
        self.links += 1
        self.real_links += real
        if not real:
            self.dead.append(link)

    def figures(self) -> dict[str, Any]:
        """Shares in percent, with what they are shares of."""
        return {
            "questions": self.questions,
            "links": self.links,
            "links_that_exist": _percent(self.real_links, self.links),
            "gold_retrieved": _percent(self.retrieved, self.questions),
            "gold_cited": _percent(self.cited, self.questions),
            "answers_without_source": _percent(self.unsourced, self.questions),
            "answers_with_the_gold_words": self.right,
            "gold_cited_in_these": _percent(self.right_cited, self.right),
            "marks": self.marks,
            "marks_on_gold": _percent(self.gold_marks, self.marks),
            "answers_with_marks": self.marked_answers,
            "gold_marked_in_these": _percent(self.gold_marked_answers, self.marked_answers),
            "sentences": self.sentences,
            "sentences_flagged": _percent(self.flagged, self.sentences),
            "control_with_a_source": _percent(self.controls_named, self.controls),
            "dead_links": self.dead,
        }


def measure(
    folder: Path, flags: list[str], questions: int, seed: int, max_tokens: int, keep: Path | None
) -> dict[str, Any]:
    """Serve the collection as a vault, ask, count; replies are appended to the file ``keep``."""
    collection = read_collection(folder)
    words = answer_words(folder)
    drawn = random.Random(seed).sample(sorted(collection.queries), min(questions, len(collection.queries)))
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="vaultbridge-citations-") as scratch:
        root = Path(scratch, "vault")
        root.mkdir()
        paths = {id_: path for path, id_ in write_vault(collection, root).items()}
        places = Places(root)
        others: list[Citation] = []
        server = Served(root, Path(scratch, "data"), flags)
        try:
            server.until(server.complete)
            for id_ in drawn:
                reply = server.answer(collection.queries[id_], max_tokens)
                tally.add(reply, _gold(collection, id_, paths), words.get(id_, ()), places)
                if others:
                    tally.control(reply["choices"][0]["message"]["content"], others)
                others = places.citations(reply)
                if keep is not None:
                    with keep.open("a", encoding="utf-8") as file:
                        file.write(json.dumps({"question": id_, "reply": reply}, ensure_ascii=False) + "\n")
        finally:
            server.stop()
    return tally.figures()


def answer_words(folder: Path) -> dict[str, list[str]]:
    """The words that answer each question, where ``queries.jsonl`` has them under ``metadata.answers``."""
    lines = (folder / "queries.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line.strip()]
    return {row["_id"]: row.get("metadata", {}).get("answers", []) for row in rows}


def _gold(collection: Collection, id_: str, paths: Mapping[str, NotePath]) -> set[str]:
    return {paths[document] for document in collection.relevant[id_] if document in paths}


def _letters(heading: str) -> str:
    return "".join(filter(str.isalnum, heading)).casefold()


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def main(
    folder: Path = typer.Argument(help="corpus.jsonl, queries.jsonl, qrels/*.tsv"),  # noqa: B008
    model: str = typer.Option("auto", help="As for `vaultbridge serve`."),
    embedder: str = typer.Option("auto", help="As for `vaultbridge serve`."),
    questions: int = typer.Option(200, help="How many are drawn."),
    seed: int = typer.Option(SEED, help="Which are drawn; 5 are those that the citations were developed with."),
    max_tokens: int = typer.Option(64, help="Of an answer."),
    keep: Path | None = typer.Option(None, help="Append the replies to this file, one a line."),  # noqa: B008
) -> None:
    """Measure whether citations hold."""
    figures = measure(folder, ["--model", model, "--embedder", embedder], questions, seed, max_tokens, keep)
    typer.echo(json.dumps(figures, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    typer.run(main)
