"""Every client of docs/clients.md against a real server with the starter models, and the table of what each got.

``make clients`` writes the table anew.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.clients.matrix import CLIENTS, NODE_MODULES, ROOT, Cell, Client, table
from tests.live.starters import starter
from tests.scenarios.serving import Served

PAGE = ROOT / "docs" / "clients.md"
OPEN = "<!-- clients: written by tests/clients/test_clients.py from what each client got -->\n"
CLOSE = "<!-- /clients -->"
MODELS = {"--model": "smollm2-135m-instruct", "--embedder": "all-minilm-l6-v2"}

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

Tried = Callable[[Client], Mapping[str, Cell]]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The addresses of a server with the starter models and one with the fake ones."""
    for name in MODELS.values():
        starter(name)
    flags = [word for pair in MODELS.items() for word in pair]
    vault = ROOT / "docs" / "sample-vault"
    with (
        Served(tmp_path_factory.mktemp("starters"), vault, "--backend", "auto", *flags) as starters,
        Served(tmp_path_factory.mktemp("fakes"), vault) as fakes,
    ):
        fakes.wait_until_indexed()
        starters.wait_until_indexed()
        yield starters.address, fakes.address


@pytest.fixture(scope="module")
def tried(servers: tuple[str, str]) -> Tried:
    """What a client got; each is run once."""
    results: dict[str, Mapping[str, Cell]] = {}

    def tried(client: Client) -> Mapping[str, Cell]:
        if client.is_node and (shutil.which("node") is None or not NODE_MODULES.is_dir()):
            assert not os.environ.get("CI"), "the Node clients must be tried here"
            pytest.skip("needs Node, and `make node_modules`")
        if client.title not in results:
            results[client.title] = client.run(*servers)
        return results[client.title]

    return tried


@pytest.mark.parametrize(
    ("client", "cell"),
    [pytest.param(client, cell, id=f"{client.title}: {cell}") for client in CLIENTS for cell in client.cells],
)
def test_the_client_gets_what_it_asks_for(tried: Tried, client: Client, cell: str) -> None:
    got = tried(client)[cell]
    assert got.ok, got.got


def test_the_page_shows_what_they_got(tried: Tried) -> None:
    written = table({client.title: tried(client) for client in CLIENTS})
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(OPEN)
    shown, _, after = rest.partition(CLOSE)
    if os.environ.get("UPDATE_CLIENTS"):
        PAGE.write_text(before + OPEN + written + CLOSE + after, encoding="utf-8")
        shown = written
    assert shown == written, "`make clients` writes it anew"
