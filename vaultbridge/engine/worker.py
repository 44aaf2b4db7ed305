"""What runs in a model's child process: the generator's loop, the embedder's and the reranker's."""

from __future__ import annotations

import time

from vaultbridge.core.dialogue import GeneratorInfo
from vaultbridge.core.errors import DecodeFailed, EmbedFailed, VaultbridgeError
from vaultbridge.core.ports import Embedder, Reranker
from vaultbridge.core.search import EmbedderInfo
from vaultbridge.engine.calls import Embed, Forget, Generate, Rerank
from vaultbridge.engine.child import Call, Inbox, Reply
from vaultbridge.engine.engine import Engine, Events

RERANK_SECONDS = 0.2
"""How long a reranker computes before it looks whether anybody still waits; its cores may be wanted for the answer."""
MOST_AT_ONCE = 32


class GeneratorWorker:
    """Many answers at a time: drain the inbox, compute a step, post what came of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def info(self) -> GeneratorInfo:
        """The model's."""
        return self._engine.info

    def run(self, inbox: Inbox) -> None:
        """Serve calls until the parent is gone."""
        while not inbox.closed:
            replies: list[Reply] = []
            for call in inbox.arrived(wait=not self._engine.busy):
                replies += self._let_in(call)
            for id_ in inbox.cancelled():
                self._engine.cancel(id_)
            if self._engine.busy:
                replies += self._replies(self._engine.step())
            inbox.post(replies)

    def _let_in(self, call: Call) -> list[Reply]:
        body: Generate | Forget = call.body
        if isinstance(body, Forget):
            self._engine.forget(body.sources)
            return [Reply(call.id, None, last=True)]
        try:
            events = self._engine.submit(call.id, body)
        except VaultbridgeError as error:
            return [Reply(call.id, error, last=True)]
        except Exception as error:  # noqa: BLE001  one request's failure is not the next one's
            failed = DecodeFailed(f"The prompt could not be prepared: {type(error).__name__}: {error}.")
            return [Reply(call.id, failed, last=True)]
        return self._replies(events)

    def _replies(self, events: Events) -> list[Reply]:
        final = {id_: place for place, (id_, _) in enumerate(events) if self._engine.over(id_)}
        return [Reply(id_, event, last=final.get(id_) == place) for place, (id_, event) in enumerate(events)]


class EmbedderWorker:
    """One batch at a time."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @property
    def info(self) -> EmbedderInfo:
        """The embedder's."""
        return self._embedder.info

    def run(self, inbox: Inbox) -> None:
        """Serve batches in the order of their arrival; the parent decides which that is."""
        for call in inbox:
            request: Embed = call.body
            try:
                inbox.reply(call, self._embedder.embed(request.texts, request.lane), last=True)
            except VaultbridgeError as error:
                inbox.reply(call, error, last=True)
            except Exception as error:  # noqa: BLE001  a library's own error: the batch's callers hear of it
                inbox.reply(call, EmbedFailed(f"The embedder failed: {type(error).__name__}: {error}."), last=True)


class RerankerWorker:
    """One question at a time, as many passages of it at once as its speed allows; ``whole``: all of them."""

    def __init__(self, reranker: Reranker, *, whole: bool = False) -> None:
        self._reranker = reranker
        self._whole = whole
        self._at_once = 1

    @property
    def info(self) -> str:
        """The model's id."""
        return self._reranker.name

    def run(self, inbox: Inbox) -> None:
        """Serve questions in the order of their arrival; one that nobody waits for any more is broken off."""
        for call in inbox:
            try:
                scores = self._scores(inbox, call)
            except VaultbridgeError as error:
                inbox.reply(call, error, last=True)
            except Exception as error:  # noqa: BLE001  a library's own error: whoever asked hears of it
                inbox.reply(call, EmbedFailed(f"The reranker failed: {type(error).__name__}: {error}."), last=True)
            else:
                if scores is not None:
                    inbox.reply(call, scores, last=True)

    def _scores(self, inbox: Inbox, call: Call) -> list[float] | None:
        request: Rerank = call.body
        scores = [0.0] * len(request.passages)
        # Passages of like length go together, since a batch is padded to its longest.
        order = sorted(range(len(request.passages)), key=lambda row: len(request.passages[row]))
        while order:
            if inbox.is_cancelled(call):
                return None
            count = len(order) if self._whole else self._at_once
            rows, order = order[:count], order[count:]
            began = time.monotonic()
            some = self._reranker.score(request.question, [request.passages[row] for row in rows])
            self._learn(time.monotonic() - began)
            for row, score in zip(rows, some, strict=True):
                scores[row] = score
        return scores

    def _learn(self, seconds: float) -> None:
        if seconds > RERANK_SECONDS:
            self._at_once = max(1, self._at_once // 2)
        elif seconds < RERANK_SECONDS / 2:
            self._at_once = min(MOST_AT_ONCE, self._at_once * 2)
