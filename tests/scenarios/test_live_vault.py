"""``vaultbridge serve`` as a process: it follows the vault, and nothing that dies takes anything else with it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from pathlib import Path

import httpx
import pytest

from tests.scenarios.serving import Run, Served, command, event, eventually, free_port, long_body
from tests.server.building import TOMATOES, TOMATOES_LINK
from tests.server.reading import RawStream

CHAT = "/v1/chat/completions"
SOON = 2.0
"""Seconds in which a change of the vault has to be found, a server to answer, and Ctrl-C to be obeyed."""


def write(served: Served, name: str, text: str) -> Path:
    place = served.vault / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return place


def settle(served: Served) -> int:
    """Wait until the index is in sync with every vector made; the counter of embedded texts."""
    eventually(served.is_indexed, "the index does not settle")
    embedded: int = served.status()["embedded"]
    return embedded


# --- the running server -------------------------------------------------------------------------------------------


def test_health_answers_while_the_index_is_still_being_opened(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    vault.mkdir()
    with Served(tmp_path, vault) as served:
        served.wait_for_health()
        assert served.client.get("/health").json()["status"] == "starting"
        assert served.client.get("/vault/status").status_code == 503
        served.wait_until_indexed()
        assert served.client.get("/health").json()["status"] == "ok"


def test_the_server_process_loads_no_model_library(served: Served) -> None:
    served.client.post(CHAT, json={"messages": [{"role": "user", "content": TOMATOES}]}).raise_for_status()
    maps = Path(f"/proc/{served.process.pid}/maps").read_text()
    assert "lance" in maps, "the control: what is loaded is seen"
    for library in ("torch", "llama", "ggml", "tokenizers", "onnxruntime", "sklearn"):
        assert library not in maps


def test_a_note_is_found_after_it_is_added_edited_renamed_and_gone_after_it_is_deleted(served: Served) -> None:
    place = write(served, "Live/Zebra.md", "# Zebra\n\nThe zebrawort blooms.\n")
    assert eventually(lambda: served.found("zebrawort") == ["Live/Zebra.md"], "not added", SOON) < SOON
    write(served, "Live/Zebra.md", "# Zebra\n\nThe quaggawort blooms.\n")
    eventually(lambda: served.found("quaggawort") == ["Live/Zebra.md"], "not edited", SOON)
    assert served.found("zebrawort") == []
    place.rename(served.vault / "Live/Quagga.md")
    eventually(lambda: served.found("quaggawort") == ["Live/Quagga.md"], "not renamed", SOON)
    (served.vault / "Live/Quagga.md").unlink()
    eventually(lambda: served.found("quaggawort") == [], "not deleted", SOON)


def test_a_moved_folder_embeds_nothing_and_a_renamed_note_only_itself(served: Served) -> None:
    for number in range(5):
        write(served, f"Old/{number}.md", f"# Title {number}\n\nMoving text {number} wanderword.\n")
    eventually(lambda: len(served.found("wanderword")) == 5, "not added")
    before = settle(served)
    (served.vault / "Old").rename(served.vault / "New")
    eventually(lambda: sorted(served.found("wanderword")) == [f"New/{n}.md" for n in range(5)], "not moved", SOON)
    assert settle(served) == before
    (served.vault / "New/0.md").rename(served.vault / "New/Renamed.md")
    eventually(lambda: "New/Renamed.md" in served.found("wanderword"), "not renamed", SOON)
    assert settle(served) - before <= 1, "only the renamed note has a new title"
    shutil.rmtree(served.vault / "New")
    eventually(lambda: served.found("wanderword") == [], "not removed", SOON)


def test_a_note_that_becomes_excluded_is_gone_and_says_why(served: Served) -> None:
    write(served, "Secret/Plan.md", "# Plan\n\nThe hushword is known.\n")
    eventually(lambda: served.found("hushword"), "not added")
    rules = served.vault / ".vaultbridgeignore"
    before = rules.read_text()
    rules.write_text(before + "Secret/\n")
    eventually(lambda: not served.found("hushword"), "still found")
    view = served.client.get("/vault/notes/Secret/Plan.md").json()
    assert (view["indexed"], view["reason"]) == (False, ".vaultbridgeignore: Secret/")
    rules.write_text(before)


def test_a_client_that_vanishes_frees_the_model(served: Served) -> None:
    with RawStream(served.address, long_body()) as stream:
        reads = stream.http_chunks()
        for _ in range(20):
            next(reads)
    short = {"model": "x@plain", "messages": [{"role": "user", "content": "hello"}]}
    answer = served.client.post(CHAT, json=short, timeout=5).raise_for_status().json()
    assert answer["choices"][0]["message"]["content"] == "You said: hello"


def test_a_generator_that_is_killed_fails_its_answer_and_the_next_one_works(served: Served) -> None:
    short = {"messages": [{"role": "user", "content": TOMATOES}]}
    served.client.post(CHAT, json=short).raise_for_status()
    generator = served.children()[-1]  # the last that was started
    with served.client.stream("POST", CHAT, json=long_body() | {"stream": True}) as response:
        lines = (line for line in response.iter_lines() if line)
        for _ in range(20):
            next(lines)
        os.kill(generator, signal.SIGKILL)
        *_, last, done = lines
    assert done == "data: [DONE]"
    assert event(last)["error"]["code"] == "worker_lost"
    assert "ended unexpectedly" in event(last)["error"]["message"]
    assert event(last)["choices"]
    assert served.client.post(CHAT, json=short).raise_for_status().json()["vaultbridge"]["grounded"]


@pytest.mark.parametrize("same_port", [True, False])
def test_a_second_server_on_the_vault_is_told_of_the_first(served: Served, run: Run, same_port: bool) -> None:
    port = served.port if same_port else free_port()
    second = run("serve", *served.place, "--backend", "fakes", "--port", port)
    assert second.returncode == 2
    assert served.address in second.stderr.splitlines()[0]
    assert len(second.stderr.splitlines()) == 2, "one line and its hint"


def test_what_is_written_about_the_server_is_its_owners_alone(served: Served) -> None:
    assert stat.S_IMODE(served.server_file.stat().st_mode) == 0o600


def test_the_other_commands_use_the_running_server(served: Served, run: Run) -> None:
    # None of them could open the index: it is locked.
    search = run("search", TOMATOES, *served.place, "--backend", "fakes")
    assert search.returncode == 0, search.stderr
    assert TOMATOES_LINK in search.stdout
    ask = run("ask", TOMATOES, *served.place, "--backend", "fakes")
    assert ask.returncode == 0, ask.stderr
    assert TOMATOES_LINK in ask.stdout
    status = run("status", "Private/Diary.md", *served.place)
    assert ".vaultbridgeignore" in status.stdout
    index = run("index", *served.place, "--json")
    assert index.returncode == 0, index.stderr
    rebuild = run("index", *served.place, "--rebuild")
    assert rebuild.returncode == 2
    assert "server" in rebuild.stderr


# --- its end ------------------------------------------------------------------------------------------------------


def many(vault: Path, count: int) -> None:
    for number in range(count):
        place = vault / f"folder{number % 20}" / f"{number}.md"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"# Note {number}\n\n" + "\n\n".join(f"## Part {n}\n\nText {number} {n}." for n in range(3)))


def test_ctrl_c_in_the_middle_of_indexing_leaves_an_index_that_is_finished_later(tmp_path: Path) -> None:
    many(tmp_path / "vault", 250)
    with Served(tmp_path, tmp_path / "vault") as served:
        served.wait_for_health()
        eventually(lambda: served.client.get("/vault/status").is_success, "not open")
        eventually(lambda: served.status()["counts"]["notes"] > 0, "nothing indexed yet", 30)
        assert served.interrupt() < SOON
        assert served.process.returncode == 0
        assert not served.server_file.exists()
        assert "Traceback" not in served.log.read_text()
        finished = command(tmp_path, "index", *served.place, "--backend", "fakes", "--json")
        assert finished.returncode == 0, finished.stderr
        assert '"notes": 250' in finished.stdout


def test_ctrl_c_in_the_middle_of_a_stream_ends_it(tmp_path: Path) -> None:
    many(tmp_path / "vault", 1)
    with Served(tmp_path, tmp_path / "vault", "--context", 400_000) as served:
        served.wait_until_indexed()
        with RawStream(served.address, long_body(150_000)) as stream:
            reads = stream.http_chunks()
            for _ in range(20):
                next(reads)
            assert served.interrupt() < SOON
        assert served.process.returncode == 0
        assert not served.server_file.exists()
        assert "Traceback" not in served.log.read_text()


def test_ctrl_c_while_it_starts(tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir()
    with Served(tmp_path, tmp_path / "vault") as served:
        served.wait_for_health()
        assert served.interrupt() < SOON
        assert "Traceback" not in served.log.read_text()


def test_a_killed_server_has_lost_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    many(tmp_path / "vault", 40)
    with Served(tmp_path, tmp_path / "vault") as first:
        first.wait_until_indexed()
        before = first.status()
        children = first.children()
        first.process.kill()
        first.process.wait()
        assert first.server_file.exists(), "nobody could remove it"
        (tmp_path / "vault/folder0/0.md").unlink()
        (tmp_path / "vault/New.md").write_text("# New\n\nWritten while nobody looked: freshword.\n")
    eventually(lambda: not any(map(_runs, children)), "its models outlived it")
    with Served(tmp_path, tmp_path / "vault") as second:
        second.wait_until_indexed()
        assert second.found("freshword") == ["New.md"]
        after = second.status()
        assert after["counts"]["notes"] == before["counts"]["notes"] == 40
        assert after["embedded"] == 1, "only the new note"
        assert httpx.get(f"{second.address}/vault/notes/folder0/0.md", trust_env=False).json()["indexed"] is False
        second.process.terminate()
        second.process.wait(10)
        assert not second.server_file.exists(), "an ordinary end of a service"


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
