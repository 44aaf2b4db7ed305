"""The real ``openai`` client against a real server process."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import openai
import pytest

from tests.scenarios.serving import Served
from tests.server.building import TOMATOES, TOMATOES_LINK


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{served.address}/v1",
        api_key="none",
        http_client=openai.DefaultHttpxClient(trust_env=False),
        max_retries=0,
    ) as client:
        yield client


def test_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": TOMATOES}])
    assert TOMATOES_LINK in (answer.choices[0].message.content or "")
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0
    assert answer.model == client.models.list().data[0].id


def test_stream(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": TOMATOES}])
    stream = client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": TOMATOES}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage is not None
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == "stop"


def test_our_keys_pass_through_extra_body(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="x",
        messages=[{"role": "user", "content": TOMATOES}],
        extra_body={"vaultbridge": {"sources": "field", "scope": {"folders": ["Garden"]}}},
    )
    ours = (answer.model_extra or {})["vaultbridge"]
    assert ours["citations"][0]["link"] == TOMATOES_LINK
    assert "[[" not in (answer.choices[0].message.content or "")


def test_embeddings(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="any", input=["red tomatoes", "ripe red tomatoes"])
    first, second = (np.array(item.embedding) for item in answer.data)
    assert 0.5 < float(first @ second) < 1


def test_models_and_errors(client: openai.OpenAI) -> None:
    ids = [model.id for model in client.models.list()]
    assert client.models.retrieve(ids[0]).id == ids[0]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nowhere")
    with pytest.raises(openai.BadRequestError, match="user message"):
        client.chat.completions.create(model="x", messages=[{"role": "system", "content": "x"}])
