"""Every Protocol through which sibling rooms meet; real objects are joined in ``wiring``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from vaultbridge.core.dialogue import (
    Event,
    GeneratorInfo,
    Grammar,
    GroundedPrompt,
    Piece,
    Prompt,
    Sampling,
    TokenLogprob,
    Usage,
)
from vaultbridge.core.notes import Chunk, IndexedNote, NotePath, NoteUpdate, Row
from vaultbridge.core.search import EmbedderInfo, Embedding, Lane, Scope, Scored, Storage, StoreCounts, Vector

# --- models, as their libraries give them: blocking, in a child process -------------------------------------------


class Embedder(Protocol):
    """Texts to vectors, a batch at a time, blocking."""

    @property
    def info(self) -> EmbedderInfo:
        """What this embedder is."""

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``, one result each in their order; longer ones are cut at ``info.max_tokens``.

        Raises EmbedFailed. No text is an error, the empty one included.
        """


class Reranker(Protocol):
    """How well passages answer a question, a batch at a time, blocking."""

    @property
    def name(self) -> str:
        """The model's id."""

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Score each passage between 0 and 1. Raises EmbedFailed."""


class TokenSampler(Protocol):
    """A sampler chain with the state of one sequence (penalties, grammar, random numbers)."""

    def sample(self, row: int) -> int:
        """Choose and accept the next token from the logits of the last decoded batch's ``row``-th token."""

    def logprob(self, row: int, token: int) -> TokenLogprob:
        """``token``'s log probability in that row, with as many alternatives as the sampling asks for."""

    def close(self) -> None:
        """Free the chain."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive tokens of one sequence in a batch. The logits of the last ``outputs`` of them are kept."""

    slot: int
    position: int
    tokens: Sequence[int]
    outputs: int = 0


class ReplyReader(Protocol):
    """Takes one answer apart as it comes: what is said, what is only thought, what calls a tool.

    Pieces have no tokens and belong to choice 0; whoever pushes knows better.
    """

    @property
    def over(self) -> bool:
        """Whether the answer may end here: nothing that still comes belongs to it."""

    def push(self, text: str) -> list[Piece]:
        """What is certain now; text that may still become a mark of the format is held back."""

    def finish(self) -> list[Piece]:
        """What was still held back."""


@dataclass(frozen=True, slots=True)
class ReplyFormat:
    """How the answer to one prompt is written: ``reader`` makes a reader for one choice of it; ``grammar`` is what the
    prompt's tools force upon it (None: nothing)."""

    reader: Callable[[], ReplyReader]
    grammar: Grammar | None = None


class KVCache(Protocol):
    """The keys and values of several sequences, one in each slot; ``capacity`` cells, a token each, serve them all.

    Slots may share cells: a copied prefix takes no new ones.
    """

    @property
    def slots(self) -> int:
        """How many sequences there is room for; they count from 0."""

    @property
    def capacity(self) -> int:
        """Cells of all slots together."""

    def truncate(self, slot: int, position: int) -> bool:
        """Forget a slot's cache from ``position`` on; False if the model refuses and the slot is now empty."""

    def copy(self, source: int, target: int, length: int) -> bool:
        """Let an empty slot share the first ``length`` tokens of another; False if the model refuses."""


class Decoder(KVCache, Protocol):
    """A language model and its KV cache, blocking; positions count from 0."""

    @property
    def info(self) -> GeneratorInfo:
        """What this model is."""

    @property
    def batch_size(self) -> int:
        """The most tokens that one ``decode`` takes."""

    @property
    def vocabulary(self) -> int:
        """How many tokens there are; they count from 0."""

    @property
    def rewinds(self) -> bool:
        """Whether the tail of a sequence can be taken back exactly, which drafts rest on."""

    def render(self, prompt: Prompt) -> tuple[list[int], tuple[str, ...]]:
        """A prompt's tokens, and the texts that end its answer beside the end-of-turn tokens."""

    def reply(self, prompt: Prompt) -> ReplyFormat:
        """How this model writes its answer to ``prompt``. Raises InvalidRequest for tools that cannot be forced."""

    def tokenize(self, text: str) -> list[int]:
        """Plain text's tokens: nothing added in front, nothing in it is special."""

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token stands for; a code point may span several tokens."""

    def is_end(self, token: int) -> bool:
        """Whether a token ends generation."""

    def decode(self, segments: Sequence[Segment]) -> None:
        """Append each segment to its slot, at most ``batch_size`` tokens together; rows count in their order.

        Raises CacheFull if the cells do not suffice (nothing is changed then), DecodeFailed for anything else.
        """

    def sampler(self, sampling: Sampling) -> TokenSampler:
        """A fresh sampler chain. Raises InvalidRequest for a grammar that cannot be read."""

    def close(self) -> None:
        """Free the model."""


# --- what the engine gives others: asynchronous, from any number of callers ---------------------------------------


class EmbeddingService(Protocol):
    """The embedder as a service: batches what arrives together, questions ahead of indexing."""

    def now(self) -> EmbeddingService:
        """The embedder as it is just now: what that says of itself holds for what it embeds, whoever comes after it."""

    async def info(self) -> EmbedderInfo:
        """What the embedder is, once it is loaded. Raises NotReady or ConfigError if it cannot be."""

    async def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``. Raises EmbedFailed or WorkerLost."""


class RerankService(Protocol):
    """The reranker as a service."""

    @property
    def name(self) -> str:
        """The model's id."""

    async def ready(self) -> None:
        """Wait until the model is loaded. Raises NotReady or ConfigError if it cannot be."""

    async def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Score each passage between 0 and 1. Raises NotReady at once while it loads, EmbedFailed or WorkerLost."""


GeneratorRole = Literal["chat", "completion"]
"""What a language model is for: to answer a conversation, or to continue a text."""


class Permit(Protocol):
    """A request's place at a language model, which stays loaded for it from the first call on."""

    async def info(self) -> GeneratorInfo:
        """What the model is, once it is loaded. Raises what keeps it from being so."""

    def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        """Started, Pieces, a Finished for each choice; or Failed as the last event.

        Closing the iterator cancels within a step.
        """


class Generator(Permit, Protocol):
    """A language model as a service; what is called without a permit is a request of its own."""

    @property
    def name(self) -> str:
        """The model's id, known before it is loaded."""

    def admit(self, keep_alive: float | None = None) -> AbstractContextManager[Permit]:
        """A place in the queue, held until the context ends. Raises Overloaded.

        ``keep_alive``: seconds that the model stays loaded when nobody asks it any more, from now on.
        """

    async def warm(self, prompt: GroundedPrompt) -> Usage | None:
        """Prefill a prompt that may soon be asked, behind every real request; None if one took its place.

        A newer call takes the place of an older one. Raises what ``stream`` gives as Failed.
        """

    def forget(self, sources: Collection[str]) -> None:
        """Let go, as soon as nobody uses it, of everything cached that holds a PromptNote of these ``source``s."""


class Generators(Protocol):
    """The language models that there are."""

    def of(self, name: str) -> Generator | None:
        """The model of that name, or else the usual one; None if there is no model."""

    def forget(self, sources: Collection[str]) -> None:
        """Let every model forget, as ``Generator.forget``."""


# --- the index ----------------------------------------------------------------------------------------------------


class ChunkStore(Protocol):
    """The rows of the index. One process writes it; every call is safe to repeat after a crash."""

    async def notes(self) -> list[IndexedNote]:
        """Every note's receipt, sorted by path (code points).

        Where the rows are not those of the receipt, since a power cut took one of them, it comes without a hash, which
        is like no file's; so it does where there are rows alone.
        """

    async def names(self) -> Mapping[str, Sequence[NotePath]]:
        """The notes by their folded names, but for those left out; cheap, since every answer asks for it."""

    async def receipts(self, paths: Collection[NotePath]) -> dict[NotePath, IndexedNote]:
        """The receipts of some notes; one that is left out has none, as if it were not there."""

    async def chunks(self, path: NotePath) -> list[Chunk]:
        """One note's chunks in their order."""

    async def rows(self) -> list[Row]:
        """Every chunk's row, sorted by note and ordinal, read anew from the disk; what was in memory is forgotten."""

    async def unfound(self, notes: Sequence[NotePath]) -> list[NotePath]:
        """Those of ``notes`` with a chunk that the keyword lane does not find by its own words."""

    async def replace(self, updates: Sequence[NoteUpdate], removed: Sequence[NotePath] = ()) -> None:
        """Write a batch of notes, chunks in one commit and receipts after it. Raises DiskFull."""

    async def use_vectors(self, fingerprint: str, dimensions: int) -> None:
        """Serve and fill the vectors of this space from now on; known ones of other spaces stay on the disk.

        Raises StoreMismatch if the space is stored with other dimensions.
        """

    async def fill_vectors(self, fingerprint: str, dimensions: int) -> None:
        """Fill this space from now on; questions go on in the one that is served, if there is one. Raises likewise."""

    async def serve_vectors(self, fingerprint: str, dimensions: int) -> None:
        """Answer questions in this space from now on, whichever one is filled. Raises likewise."""

    async def keyword(self, text: str, scope: Scope, limit: int) -> list[Scored]:
        """The chunks that share words with ``text``, by BM25, best first."""

    async def dense(self, vector: Vector, scope: Scope, limit: int) -> list[Scored]:
        """The chunks nearest to ``vector`` by cosine, exactly, best first; those without a vector are not seen."""

    async def sparse(self, weights: Mapping[int, float], scope: Scope, limit: int) -> list[Scored]:
        """The chunks whose learned sparse vectors have the greatest product with ``weights``, exactly, best first."""

    async def vectors(self, digests: Sequence[str]) -> dict[str, Vector]:
        """The stored vectors among ``digests``."""

    async def multi(self, digests: Sequence[str]) -> dict[str, Vector]:
        """The stored multi-vectors among ``digests``, ``(tokens, dimensions)`` float32 each, as kept: compressed."""

    async def linked(self, paths: Sequence[NotePath]) -> dict[NotePath, tuple[NotePath, ...]]:
        """The notes that each of ``paths`` links to or is linked from, resolved as Obsidian does, each once."""

    async def unembedded(self, limit: int) -> list[Chunk]:
        """Chunks that have no vector yet, one for each digest, of the newest and the most linked notes first."""

    async def put_vectors(self, vectors: Mapping[str, Embedding]) -> None:
        """Add vectors by digest; present ones are left alone. Raises DiskFull."""

    async def counts(self) -> StoreCounts:
        """How much is stored."""

    async def storage(self) -> Storage:
        """What it takes on the disk."""

    async def maintain(self) -> None:
        """Compact the files, drop old versions and vectors that no chunk uses."""

    async def purge(self) -> None:
        """Leave nothing of what was deleted, nor of older versions, on the disk."""

    @property
    def damage(self) -> str:
        """What could not be read and is made anew, for people to read; empty if nothing was damaged."""

    async def mend(self) -> None:
        """Set aside every table that cannot be read, and begin it anew; ``notes`` tells what to write again."""

    async def close(self) -> None:
        """Let go of the files."""


class ChangeSource(Protocol):
    """Hints that files changed. Never the truth: the diff looks itself."""

    @property
    def polling(self) -> str:
        """Why changes are polled for instead of reported by the system; empty if they are reported."""

    def start(self, on_change: Callable[[str | None], None]) -> None:
        """Call ``on_change`` from a thread with each path that changed, None if anything may have."""

    def stop(self) -> None:
        """No call arrives after this returns."""


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def now(self) -> float:
        """Seconds since 1970."""

    def monotonic(self) -> float:
        """Seconds that never jump."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


# --- where models come from -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that can be fetched: its ``path`` in the model's folder, where it is, and how many bytes it has.

    ``sha256`` or ``git_blob`` (as git names a content) is what it must turn out to be. Zero and empty are what nobody
    says. ``headers`` may hold a secret.
    """

    path: str
    url: str
    size: int = 0
    sha256: str = ""
    git_blob: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class RemoteRepository:
    """A model's repository: its files, and its licence as far as the hub names one."""

    files: tuple[RemoteFile, ...]
    licence: str = ""


class ModelHub(Protocol):
    """A site that keeps model repositories, blocking."""

    def repository(self, repo: str, revision: str) -> RemoteRepository:
        """What is in a repository; an empty ``revision`` is the newest one.

        Raises ModelMissing if there is none or it is not for this user, DownloadFailed, ConfigError when offline.
        """
