"""What an answer says of lanes that were away, with a model and without one."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.chat.houses import FakeGenerator, grounding_of, links, make, talk, text_of
from vaultbridge.chat.service import Request
from vaultbridge.core.dialogue import Event, Failed, GeneratorInfo, Grammar, GroundedPrompt, Sampling
from vaultbridge.core.errors import EmbedFailed, ModelInvalid, NotReady, VaultbridgeError, WorkerLost
from vaultbridge.server.views import grounding_view

BEES = talk("Where do bees sleep?")


@pytest.mark.parametrize("failure", [WorkerLost("It died."), NotReady("It loads."), EmbedFailed("It failed.")])
@pytest.mark.parametrize("model", [True, False], ids=["a model", "passages"])
async def test_an_answer_from_words_alone_says_so(failure: VaultbridgeError, model: bool) -> None:
    house = await make(FakeGenerator("Bees sleep in the hive [1].") if model else None)
    house.embeddings.failure = failure
    events = await house.answer(Request(BEES))
    grounding = grounding_of(events)
    assert grounding.citations
    assert "Bees sleep in the hive" in text_of(events)
    assert grounding_view(grounding)["degraded"] == [{"lane": "dense", "reason": failure.code}]


class Unloaded(FakeGenerator):
    """Cannot be loaded."""

    def __init__(self, error: VaultbridgeError) -> None:
        super().__init__()
        self.error = error

    async def info(self) -> GeneratorInfo:
        raise self.error

    async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Failed(self.error)


@pytest.mark.parametrize("error", [ModelInvalid("It is damaged."), NotReady("It keeps failing.")])
async def test_passages_stand_for_a_model_that_cannot_be_loaded(error: VaultbridgeError) -> None:
    events = await (await make(Unloaded(error))).answer(Request(BEES))
    assert "Bees sleep in the hive" in text_of(events)
    assert grounding_view(grounding_of(events))["degraded"] == [{"lane": "generator", "reason": error.code}]
    assert links(events)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (Request(BEES, sampling=Sampling(n=2)), NotReady("It keeps failing.")),
        (Request(BEES, sampling=Sampling(grammar=Grammar("json_schema", "{}"))), NotReady("It keeps failing.")),
        (Request(BEES, grounding="off"), NotReady("It keeps failing.")),
        (Request(talk("Translate: the weather is fine")), NotReady("It keeps failing.")),
        (Request(BEES), WorkerLost("It died of this prompt.")),
    ],
    ids=["two choices", "a form of its own", "no notes wanted", "no notes found", "a death"],
)
async def test_passages_do_not_stand_for_every_answer(request_: Request, error: VaultbridgeError) -> None:
    events = await (await make(Unloaded(error))).answer(request_)
    (failed,) = events
    assert isinstance(failed, Failed)
    assert failed.error is error


async def test_a_whole_answer_says_nothing_of_it() -> None:
    events = await (await make(FakeGenerator("Yes."))).answer(Request(BEES))
    assert "degraded" not in grounding_view(grounding_of(events))
