"""No path of the disk goes out, and nothing else is taken out with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from tests.server.building import Building, ScriptedGenerator
from tests.server.reading import question
from vaultbridge.core.dialogue import Event, Failed, GroundedPrompt, Piece, Sampling, Started
from vaultbridge.core.errors import DecodeFailed, ModelMissing, NoteUnreadable, VaultbridgeError
from vaultbridge.server.scrub import without_folders

HOME = "/".join(("", "home", "me"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            f"There is no model at {HOME}/models/gemma.gguf. Check the path.",
            "There is no model at gemma.gguf. Check the path.",
        ),
        (f"The vault '{HOME}/My Notes/and more' is gone.", "The vault 'and more' is gone."),
        (f"[Errno 13] Permission denied: '{HOME}/x.md'", "[Errno 13] Permission denied: 'x.md'"),
        (f"In {HOME}/My Notes/x.md, then in {HOME}/y.md: no.", "In x.md, then in y.md: no."),
        ("Nothing at C:\\Users\\me\\Notes\\x.md here", "Nothing at x.md here"),
        ("Nothing at D:/Notes/x.md here", "Nothing at x.md here"),
        ("Nothing at \\\\server\\share\\x.md here", "Nothing at x.md here"),
        ("Nothing in ~/Notes/x.md", "Nothing in x.md"),
        (f"file://{HOME}/x.md", "x.md"),
        (f'File "{HOME}/site-packages/x.py", line 3', 'File "x.py", line 3'),
    ],
)
def test_an_absolute_path_is_cut_to_its_name(text: str, shown: str) -> None:
    assert without_folders(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "The note Garden/Tomatoes.md is not indexed.",
        "Ask POST /v1/chat/completions or /api/chat at http://127.0.0.1:1234/v1 instead.",
        "Give it as package.module:Class, for example a:B.",
        "5 / 3, and/or 1/2; see https://example.org/a/b.",
        "messages.0.content: Input should be a valid string.",
        "红烧肉/炖煮.md 没有",
    ],
)
def test_everything_else_stays(text: str) -> None:
    assert without_folders(text) == text


def test_it_takes_no_longer_than_the_text_is() -> None:
    for text in (" /a" * 20_000, "/" * 50_000, "/a b" * 20_000, "C:\\" * 20_000, "/" + "a " * 50_000):
        without_folders(text)


ERRORS: list[VaultbridgeError] = [
    ModelMissing(f"There is no model at {HOME}/models/gemma.gguf.", f"Look into {HOME}/models."),
    DecodeFailed(f"The model failed: OSError: [Errno 5] '{HOME}/models/gemma.gguf'."),
    NoteUnreadable(f"{HOME}/vault/x.md cannot be read"),
]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/api/chat"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_no_failure_of_an_answer_tells_a_path(building: Building, path: str, stream: bool) -> None:
    async def failing(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        if sampling.seed != 9:
            yield Started((), ())
            yield Piece("Half")
        yield Failed(ERRORS[(sampling.seed or 0) % len(ERRORS)])

    with httpx.Client(
        base_url=building.serve(building.speaking(ScriptedGenerator(failing))), trust_env=False
    ) as client:
        for seed in range(10):
            body: dict[str, Any] = question("x", model="x@plain", stream=stream, seed=seed, prompt="x", input="x")
            body["options"] = {"seed": seed}
            answer = client.post(path, json=body)
            assert HOME not in answer.text


@dataclass
class Broken:
    """A model's process that says a path of why it is not ready."""

    name: str = "embedder"
    state: str = "failed"
    reason: str = f"{HOME}/models/gemma.gguf is not a GGUF file."
    expires: float | None = None


def test_neither_health_nor_status_tells_one(building: Building) -> None:
    index = building.services.index
    problems: dict[str, str] = dict(index.problems) | {"index": f"{HOME}/vault is gone"}

    class Troubled:
        def __getattr__(self, name: str) -> Any:
            return problems if name == "problems" else getattr(index, name)

    services = replace(building.services, index=Troubled(), search_models=(Broken(),))
    with httpx.Client(base_url=building.serve(services), trust_env=False) as client:
        health, status = client.get("/health"), client.get("/vault/status")
    assert health.json()["models"]["embedder"]["reason"] == "gemma.gguf is not a GGUF file."
    assert status.json()["problems"]["index"] == "vault is gone"
    assert HOME not in health.text + status.text
