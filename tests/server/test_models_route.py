"""``/vault/models``: what the plugin's list shows, and a pull that it watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.catalog.standin import Hub, serving
from tests.catalog.test_pull import FILE, REPO, gguf
from tests.server.building import Building
from tests.server.reading import Json, RawStream, events
from vaultbridge.backends.hub import HuggingFaceHub
from vaultbridge.catalog.catalog import Catalog
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.found import Elsewhere
from vaultbridge.catalog.pull import Puller
from vaultbridge.catalog.supply import Supply

PULL = "/vault/models/pull"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with serving(Hub({REPO: {FILE: gguf(tmp_path)}})) as hub:
        yield hub


@pytest.fixture
def open_puller(hub: Hub, tmp_path: Path) -> Callable[[], Puller]:
    def puller() -> Puller:
        supply = Supply(Catalog.load(), ModelFolder(tmp_path / "models"), Elsewhere(tmp_path / "home", {}))
        return Puller(supply, lambda: HuggingFaceHub(hub.endpoint), pause=0.01)

    return puller


@pytest.fixture
def there(building: Building, open_puller: Callable[[], Puller]) -> Iterator[httpx.Client]:
    address = building.serve(replace(building.services, puller=open_puller))
    with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
        yield client


def listed(client: httpx.Client) -> dict[str, Json]:
    models = client.get("/vault/models").raise_for_status().json()["models"]
    return {model["name"]: model for model in models}


def test_a_pull_tells_how_far_it_is_and_ends_in_the_list(there: httpx.Client, hub: Hub, tmp_path: Path) -> None:
    assert "tiny-Q4_0" not in listed(there)
    assert not listed(there)["gemma-3-4b-it"]["present"]
    told = events(there, {"model": f"hf:{REPO}"}, PULL)
    size = len(hub.repositories[REPO][FILE])
    assert {event["type"] for event in told[:-1]} == {"progress"}
    assert told[-2] == {"type": "progress", "stage": "checking", "done": size, "total": size}
    assert told[-1] == {"type": "end", "name": "tiny-Q4_0", "licence": "gemma", "note": ""}
    model = listed(there)["tiny-Q4_0"]
    assert (model["present"], model["origin"]) == (True, f"hf:{REPO}:{FILE}")
    assert str(tmp_path) not in str(model)


@pytest.mark.parametrize("wanted", ["hf:nobody/nothing", "nonsense"])
def test_what_is_not_there_is_an_event_that_says_so(there: httpx.Client, wanted: str) -> None:
    last = events(there, {"model": wanted}, PULL)[-1]
    assert last["type"] == "error"
    assert last["error"]["code"] == "model_missing"


@pytest.mark.parametrize("wanted", ["http://127.0.0.1:1/x.gguf", "wheel:anything", "hf:", "file:///etc/passwd", ""])
def test_nothing_but_the_hub_is_fetched_for_a_client(there: httpx.Client, hub: Hub, wanted: str) -> None:
    response = there.post(PULL, json={"model": wanted})
    if wanted.startswith("file"):
        assert "No model is called" in response.text
    else:
        assert response.status_code == 400
    assert hub.asked == []


def test_a_client_that_goes_away_ends_the_pull_and_the_next_one_goes_on(
    there: httpx.Client, hub: Hub, tmp_path: Path
) -> None:
    hub.faults.slow = 0.1
    stream = RawStream(str(there.base_url), {"model": f"hf:{REPO}"}, path=PULL, stream=False)
    while hub.sent[FILE] < 100_000:
        stream.socket.recv(1)
    stream.socket.close()
    hub.faults.slow, before = 0.02, hub.sent[FILE]
    # It waits for its turn, which comes when the first one has let go.
    assert events(there, {"model": f"hf:{REPO}"}, PULL)[-1]["type"] == "end"
    data = hub.repositories[REPO][FILE]
    assert (tmp_path / "models/tiny-Q4_0" / FILE).read_bytes() == data
    assert before + len(data) > hub.sent[FILE], "what had arrived was kept"
