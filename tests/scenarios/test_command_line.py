"""The commands as a user meets them: what they print, where, and with which exit code."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.scenarios.serving import COMMAND, Run, Served, command, environment
from tests.server.building import CHINESE, TOMATOES, TOMATOES_LINK, write_vault

FAKES = ("--backend", "fakes")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    vault = write_vault(home / "My Vault")
    (vault / "Party.md").write_text("# Party\n\nConfetti means :tada: and [bold]loud[/bold] 12:30:00 music.\n")
    return home


def place(home: Path) -> tuple[str, ...]:
    return "--vault", str(home / "My Vault"), "--data", str(home / "data")


def complaint(result: subprocess.CompletedProcess[str], code: int = 2) -> tuple[str, str]:
    """The line that says what is wrong, and the hint."""
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    line, hint = result.stderr.splitlines()
    assert line.startswith("vaultbridge: ")
    assert hint.startswith("  ")
    return line, hint


# --- without a server -----------------------------------------------------------------------------------------------


def test_index_search_ask_and_status_need_no_server(home: Path, run: Run) -> None:
    indexed = command(home, "index", *place(home), *FAKES, "--json")
    assert indexed.returncode == 0, indexed.stderr
    status = json.loads(indexed.stdout)
    assert status["counts"]["vectors"] == status["counts"]["chunks"] > 0

    search = run("search", "confetti", *place(home), *FAKES)
    assert "[[Party]]" in search.stdout
    assert "Confetti means :tada: and [bold]loud[/bold] 12:30:00 music." in search.stdout, "as it stands in the note"

    document = json.loads(run("ask", TOMATOES, *place(home), *FAKES, "--json").stdout)
    assert document["answer"]
    assert document["citations"][0]["link"] == TOMATOES_LINK
    assert document["used"] == [1]

    note = home / "My Vault" / "Private" / "Diary.md"
    result = run("status", note, *place(home), *FAKES)
    assert result.stdout == "Private/Diary.md: not indexed: .vaultbridgeignore: Private/\n"


# --- with one: quick ------------------------------------------------------------------------------------------------


def test_json_is_one_document_and_nothing_else(served: Served, run: Run) -> None:
    for arguments, key in (
        (("search", CHINESE), "hits"),
        (("ask", TOMATOES), "answer"),
        (("status",), "counts"),
        (("status", "Latin.md"), "indexed"),
        (("models", "list"), ""),
    ):
        flags = served.place if arguments[0] != "models" else ()
        result = run(*arguments, *flags, "--json")
        assert result.returncode == 0, result.stderr
        document = json.loads(result.stdout)
        assert key in document if key else isinstance(document, list)


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["text", "json"])
def test_a_reader_that_has_enough_is_no_error(served: Served, more: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        [*COMMAND, "search", "the", *served.place, *more],
        env=environment(served.home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()  # as `| head -0` does, before anything is printed
    with process.stderr:
        said = process.stderr.read()
    process.wait(60)
    assert said == ""


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", ["200", "60"])
def test_a_complaint_is_one_line_and_a_hint_however_narrow_the_terminal(home: Path, columns: str) -> None:
    missing = home / ("a-rather-long-name-" * 4)
    line, hint = complaint(command(home, "serve", "--vault", missing, COLUMNS=columns))
    assert str(missing) in line
    assert "folder" in hint


def test_a_vault_that_is_a_file_or_is_not_named(home: Path, run: Run) -> None:
    line, _ = complaint(run("search", "x", "--vault", home / "My Vault" / "Party.md"))
    assert "is not a folder" in line
    _, hint = complaint(run("status"))
    assert "--vault" in hint


class Neighbour(BaseHTTPRequestHandler):
    """Answers as the program does whose paths it is given."""

    answers: dict[str, str]

    def do_GET(self) -> None:
        content = self.answers.get(self.path)
        self.send_response(200 if content is not None else 404)
        self.end_headers()
        self.wfile.write((content or "").encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name is given
        """Be quiet."""


@pytest.fixture
def neighbour(request: pytest.FixtureRequest) -> Iterator[int]:
    class Own(Neighbour):
        answers = request.param

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("neighbour", "name"),
    [
        ({"/api/version": '{"version": "0.9.0"}'}, "Ollama"),
        ({"/lmstudio-greeting": '{"lmstudio": true}'}, "LM Studio"),
        ({"/api/v0/models": '{"data": []}', "/v1/models": '{"data": []}'}, "LM Studio"),
        ({"/v1/models": '{"object": "list", "data": []}'}, "another OpenAI-compatible server"),
        ({"/health": '{"status":"ok","name":"vaultbridge"}'}, "another vaultbridge"),
        ({}, "another program"),
    ],
    indirect=["neighbour"],
)
def test_a_port_in_use_names_the_neighbour_and_the_next_free_one(
    home: Path, run: Run, neighbour: int, name: str
) -> None:
    line, hint = complaint(run("serve", *place(home), *FAKES, "--port", neighbour))
    assert line == f"vaultbridge: Port {neighbour} is taken by {name}."
    assert f"vaultbridge serve --vault '{home / 'My Vault'}' --port " in hint
    free = int(hint.split(" --port ")[1].split()[0])
    assert free != neighbour
    assert f"http://127.0.0.1:{free}/v1" in hint


def test_an_address_that_is_not_ours(home: Path, run: Run) -> None:
    line, _ = complaint(run("serve", *place(home), *FAKES, "--host", "192.0.2.1", VAULTBRIDGE_SERVER__TOKEN="t"))
    assert "192.0.2.1" in line


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.7.7"])
def test_the_network_needs_a_token(home: Path, run: Run, host: str) -> None:
    line, hint = complaint(run("serve", *place(home), *FAKES, "--host", host))
    assert host in line
    assert "server.token" in hint


def test_a_model_that_is_not_there_or_is_none(home: Path, run: Run) -> None:
    fake = home / "fake.gguf"
    fake.write_bytes(b"this is no model")
    line, hint = complaint(run("serve", *place(home), "--model", fake, "--embedder", "none"))
    assert f"{fake} is not a GGUF file" in line
    line, hint = complaint(run("ask", "x", *place(home), "--model", home / "no.gguf", "--embedder", "none"))
    assert str(home / "no.gguf") in line
    assert "models list" in hint
    line, hint = complaint(run("serve", *place(home), "--model", "no-such-model", "--embedder", "none"))
    assert "no-such-model" in line


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[server]\nport = 99999\n", "server.port"),
        ("[server]\nprot = 1\n", "There is no setting server.prot."),
        ('[chat]\ngrounding = "maybe"\n', "chat.grounding"),
        ("[server\n", "vaultbridge.toml cannot be read"),
        ('vault = "\xff"'.encode("latin-1"), "vaultbridge.toml cannot be read"),
    ],
    ids=["value", "name", "choice", "toml", "encoding"],
)
def test_a_settings_file_with_a_mistake(tmp_path: Path, run: Run, content: str | bytes, expected: str) -> None:
    file = tmp_path / "vaultbridge.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    line, _ = complaint(run("status", "--config", file))
    assert expected in line


def test_wrong_settings_from_elsewhere(home: Path, run: Run) -> None:
    line, _ = complaint(run("status", "--config", home / "none.toml"))
    assert "none.toml" in line
    line, _ = complaint(run("status", *place(home), VAULTBRIDGE_SERVER__PORT="high"))
    assert "server.port" in line
    line, hint = complaint(run("status", *place(home), VAULTBRIDGE_SERVER="{"))
    assert "VAULTBRIDGE_" in hint
    line, _ = complaint(run("serve", *place(home), "--backend", "nonsense"))
    assert "models.backend" in line


def test_an_index_within_the_vault_is_refused(home: Path, run: Run) -> None:
    line, hint = complaint(run("index", "--vault", home / "My Vault", "--data", home / "My Vault/index"))
    assert "in the vault" in line
    assert "--data" in hint


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "vaultbridge.toml"
    file.write_text('vault = "/from/file"\n')
    assert "/from/file" in complaint(run("status", "--config", file))[0]
    assert "/from/env" in complaint(run("status", "--config", file, VAULTBRIDGE_VAULT="/from/env"))[0]
    flag = run("status", "--config", file, "--vault", "/from/flag", VAULTBRIDGE_VAULT="/from/env")
    assert "/from/flag" in complaint(flag)[0]
