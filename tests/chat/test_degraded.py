"""What an answer says of lanes that were away, with a model and without one."""

from __future__ import annotations

import pytest

from tests.chat.houses import FakeGenerator, grounding_of, make, talk, text_of
from vaultbridge.chat.service import Request
from vaultbridge.core.errors import EmbedFailed, NotReady, VaultbridgeError, WorkerLost
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


async def test_a_whole_answer_says_nothing_of_it() -> None:
    events = await (await make(FakeGenerator("Yes."))).answer(Request(BEES))
    assert "degraded" not in grounding_view(grounding_of(events))
