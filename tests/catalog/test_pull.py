"""Pulling models from a stand-in hub: whatever happens on the way, a model is there whole and exact, or not at all."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from tests.catalog.standin import TOKEN, Faults, Hub, serving
from tests.lab.tiny import tiny_model
from vaultbridge.backends.hub import HuggingFaceHub
from vaultbridge.catalog.catalog import Catalog, Entry
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.partial import PartialFile
from vaultbridge.catalog.pull import Puller
from vaultbridge.catalog.supply import Supply
from vaultbridge.core.errors import ConfigError, DiskFull, DownloadFailed, ModelInvalid, ModelMissing

REPO, FILE = "owner/tiny-GGUF", "tiny-Q4_0.gguf"
SHORT = 0.01


def gguf(folder: Path, size: int = 300_000, **keys: str) -> bytes:
    """A GGUF file of about ``size`` bytes that a header reader accepts, with random bytes for weights."""
    path = folder / "made.gguf"
    writer = GGUFWriter(path, "llama")
    for key, value in keys.items():
        writer.add_string(key.replace("__", "."), value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    return path.read_bytes() + np.random.default_rng(size).bytes(size)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    data = gguf(tmp_path, tokenizer__chat_template="{{ messages }}")
    with serving(Hub({REPO: {FILE: data, "README.md": b"# Tiny\n"}})) as hub:
        yield hub


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def puller(models: Path, hub: Hub, token: str = "", catalog: Catalog | None = None, free: int = 1 << 40) -> Puller:
    supply = Supply(catalog or Catalog([]), ModelFolder(models))
    return Puller(supply, lambda: HuggingFaceHub(hub.endpoint, token), lambda folder: free, SHORT)


def left_in(models: Path) -> list[str]:
    return sorted(path.name for path in models.iterdir() if path.name != ".locks") if models.exists() else []


def test_a_repository_becomes_a_model_with_a_name(hub: Hub, models: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    pulled = puller(models, hub).pull(f"hf:{REPO}", lambda *step: seen.append(step))
    size = len(hub.repositories[REPO][FILE])
    assert (pulled.name, pulled.licence) == ("tiny-Q4_0", "gemma")
    assert pulled.path.read_bytes() == hub.repositories[REPO][FILE]
    assert left_in(models) == ["tiny-Q4_0"]
    assert sorted(file.name for file in pulled.path.parent.iterdir()) == ["model.json", FILE]
    assert {stage for stage, _, _ in seen} == {"fetching", "checking"}
    assert seen[-1] == ("checking", size, size)
    assert all(done <= total == size for _, done, total in seen)
    supply = Supply(Catalog([]), ModelFolder(models))
    assert supply.resolve("tiny-Q4_0", "chat").path == pulled.path


def test_what_is_here_is_not_fetched_again(hub: Hub, models: Path) -> None:
    ours = puller(models, hub)
    first = ours.pull(f"hf:{REPO}")
    before = hub.sent[FILE]
    for name in (f"hf:{REPO}:{FILE}", f"hf:{REPO}:q4_0", hub.url(REPO, FILE).replace(hub.endpoint, "https://hf.co")):
        assert ours.pull(name) == first
    assert hub.sent[FILE] == before


def test_the_hub_names_a_model_of_the_catalogue(hub: Hub, models: Path) -> None:
    entry = Entry.model_validate(
        {
            "name": "tiny", "role": "chat", "backend": "llama", "title": "", "summary": "", "licence": "MIT", "size": 1,
            "memory": 1, "source": {"kind": "huggingface", "repo": REPO, "files": [FILE]},
        }
    )  # fmt: skip
    ours = puller(models, hub, catalog=Catalog([entry]))
    assert ours.pull("tiny").path == models / "tiny" / FILE == ours.pull(f"hf:{REPO}:{FILE}").path
    assert left_in(models) == ["tiny"]


def test_the_token_is_for_the_hub_alone(hub: Hub, models: Path) -> None:
    puller(models, hub, token=TOKEN).pull(f"hf:{REPO}")
    assert all(headers.get("authorization") == f"Bearer {TOKEN}" for name, _, headers in hub.asked if name == "hub")
    assert not any("authorization" in headers for name, _, headers in hub.asked if name == "cdn")
    assert not any("torch" in headers["user-agent"] for _, _, headers in hub.asked)


def test_a_gated_repository_shows_its_licence(hub: Hub, models: Path) -> None:
    hub.faults.gated = True
    with pytest.raises(ModelMissing, match=r"gated.*gemma") as caught:
        puller(models, hub).pull(f"hf:{REPO}")
    assert f"{hub.endpoint}/{REPO}" in caught.value.hint
    assert "HF_TOKEN" in caught.value.hint
    with pytest.raises(ModelMissing, match="refuses") as caught:
        puller(models, hub, token="hf_other").pull(f"hf:{REPO}")
    assert "licence" in caught.value.hint
    assert puller(models, hub, token=TOKEN).pull(f"hf:{REPO}").path.is_file()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("hf:nobody/nothing", "no repository nobody/nothing"),
        (f"hf:{REPO}@elsewhere", "no revision elsewhere"),
        (f"hf:{REPO}:Q9_9", "It has: tiny-Q4_0"),
        ("hf:nonsense", "names no repository"),
        ("hf:a/b/c", "names no repository"),
        ("http://", "not the address"),
        ("https://host/model.zip", "not the address"),
        ("http://[bad/x.gguf", "not an address"),
        ("http://host:port/x.gguf", "not an address"),
        ("wheel:-r requirements.txt", "names no package"),
        ("tiny", "No model is called tiny"),
    ],
)
def test_what_is_not_there_is_one_clear_error(hub: Hub, models: Path, wanted: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        puller(models, hub).pull(wanted)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert left_in(models) == []


def test_a_hub_that_is_not_there(models: Path) -> None:
    with pytest.raises(DownloadFailed, match="cannot be reached") as caught:
        puller(models, Hub({}, endpoint="http://127.0.0.1:9")).pull(f"hf:{REPO}")
    assert "HF_ENDPOINT" in caught.value.hint


def test_an_address_that_is_not_there(hub: Hub, models: Path) -> None:
    with pytest.raises(ModelMissing, match=r"no other\.gguf"):
        puller(models, hub).pull(hub.url(REPO, "other.gguf"))
    assert left_in(models) == []


def test_an_address(hub: Hub, models: Path) -> None:
    url = hub.url(REPO, FILE)
    pulled = puller(models, hub).pull(url)
    assert pulled.path.read_bytes() == hub.repositories[REPO][FILE]
    assert (pulled.name, [model.origin for model in ModelFolder(models).own()]) == ("tiny-Q4_0", [url])


def test_an_address_is_checked_by_what_its_server_tells(hub: Hub, models: Path) -> None:
    hub.faults.flipped = 200_000
    with pytest.raises(ModelInvalid, match="checksum"):
        puller(models, hub).pull(hub.url(REPO, FILE))
    assert left_in(models) == []


def test_one_name_for_two_models_is_refused(hub: Hub, models: Path) -> None:
    hub.repositories["other/tiny"] = hub.repositories[REPO]
    puller(models, hub).pull(f"hf:{REPO}")
    with pytest.raises(ConfigError, match="already") as caught:
        puller(models, hub).pull("hf:other/tiny")
    assert "vaultbridge models remove tiny-Q4_0" in caught.value.hint


# --- on the way -------------------------------------------------------------------------------------------------------


def test_cut_connections_are_resumed(hub: Hub, models: Path) -> None:
    hub.faults.cut = [100, 70_000, 0, 150_000]
    pulled = puller(models, hub).pull(f"hf:{REPO}")
    assert pulled.path.read_bytes() == hub.repositories[REPO][FILE]
    assert hub.faults.cut == []
    assert hub.sent[FILE] < 2 * len(hub.repositories[REPO][FILE])


def test_a_busy_hub_is_asked_again_when_it_says(hub: Hub, models: Path) -> None:
    hub.faults.busy = [(429, "0"), (503, "Thu, 01 Jan 1970 00:00:00 GMT"), (502, "")]
    assert puller(models, hub).pull(f"hf:{REPO}").path.is_file()
    hub.faults.busy = [(429, "86400")]
    with pytest.raises(DownloadFailed, match="429"):
        puller(models, hub).pull(f"{hub.url(REPO, FILE)}?again")


def test_a_server_without_parts(hub: Hub, models: Path) -> None:
    hub.faults = Faults(whole=True, cut=[120_000])
    pulled = puller(models, hub).pull(f"hf:{REPO}")
    assert pulled.path.read_bytes() == hub.repositories[REPO][FILE]


def test_a_network_that_stays_away_keeps_what_came(hub: Hub, models: Path) -> None:
    hub.faults.cut = [100_000] + [0] * 50
    with pytest.raises(DownloadFailed) as caught:
        puller(models, hub).pull(f"hf:{REPO}")
    assert "same command" in caught.value.hint
    hub.faults.cut, before = [], hub.sent[FILE]
    pulled = puller(models, hub).pull(f"hf:{REPO}")
    assert pulled.path.read_bytes() == hub.repositories[REPO][FILE]
    assert hub.sent[FILE] - before <= len(pulled.path.read_bytes()) - 100_000 + 1


def test_a_progress_that_fails_stops_and_the_next_pull_goes_on(hub: Hub, models: Path) -> None:
    hub.faults.slow = 0.05

    def cancel(stage: str, done: int, total: int) -> None:
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        puller(models, hub).pull(f"hf:{REPO}", cancel)
    assert left_in(models) == [".tiny-Q4_0.part"]
    hub.faults.slow, before = 0, hub.sent[FILE]
    pulled = puller(models, hub).pull(f"hf:{REPO}")
    assert pulled.path.read_bytes() == hub.repositories[REPO][FILE]
    assert hub.sent[FILE] - before <= len(pulled.path.read_bytes()) - 100_000 + 1


def test_a_flipped_byte_is_refused_and_leaves_nothing(hub: Hub, models: Path) -> None:
    hub.faults.flipped = 123_456
    with pytest.raises(ModelInvalid, match=rf"{FILE} .*checksum") as caught:
        puller(models, hub).pull(f"hf:{REPO}")
    assert str(models) not in str(caught.value)
    assert left_in(models) == []


def test_a_small_file_is_checked_too(hub: Hub, models: Path) -> None:
    hub.repositories["owner/folder"] = {"config.json": b"{}", "model.safetensors": b"weights", "onnx/model.onnx": b"x"}
    pulled = puller(models, hub).pull("hf:owner/folder")
    assert sorted(file.name for file in pulled.path.iterdir()) == ["config.json", "model.json", "model.safetensors"]
    ModelFolder(models).remove("folder")
    hub.faults.flipped = 0
    with pytest.raises(ModelInvalid, match=r"config\.json"):
        puller(models, hub).pull("hf:owner/folder")
    assert left_in(models) == []


def test_every_part_of_a_split_model(hub: Hub, models: Path, tmp_path: Path) -> None:
    parts = {f"Q8_0/big-Q8_0-0000{n}-of-00003.gguf": gguf(tmp_path, 1000 * n) for n in (1, 2, 3)}
    hub.repositories["owner/big"] = {**parts, "mmproj-big.gguf": b"not wanted"}
    pulled = puller(models, hub).pull("hf:owner/big:Q8_0")
    assert (pulled.name, pulled.path.name) == ("big-Q8_0", "big-Q8_0-00001-of-00003.gguf")
    assert {f"Q8_0/{file.name}": file.read_bytes() for file in pulled.path.parent.iterdir()} == parts
    del hub.repositories["owner/big"]["Q8_0/big-Q8_0-00002-of-00003.gguf"]
    with pytest.raises(ModelMissing, match="2 of the 3 parts"):
        puller(models / "elsewhere", hub).pull("hf:owner/big")


def test_a_repository_that_leads_out_of_its_folder(hub: Hub, models: Path) -> None:
    hub.repositories["owner/evil"] = {"../../evil-Q4_0.gguf": hub.repositories[REPO][FILE]}
    with pytest.raises(ModelInvalid, match="out of its folder"):
        puller(models, hub).pull("hf:owner/evil")
    assert left_in(models) == []


# --- the disk ---------------------------------------------------------------------------------------------------------


def test_a_disk_without_room_is_told_before_anything_is_fetched(hub: Hub, models: Path) -> None:
    with pytest.raises(DiskFull, match=f"no room for {FILE}") as caught:
        puller(models, hub, free=100_000).pull(f"hf:{REPO}")
    assert "models.folder" in caught.value.hint
    assert (left_in(models), hub.sent[FILE]) == ([], 0)


CHILD = """
import resource, sys
from pathlib import Path
from vaultbridge.catalog.catalog import Catalog
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.pull import Puller
from vaultbridge.catalog.supply import Supply
folder, wanted, limit = sys.argv[1:]
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
supply = Supply(Catalog([]), ModelFolder(Path(folder)))
pulled = Puller(supply, lambda: None, pause=0.01).pull(wanted)
print(pulled.path)
"""


def child(models: Path, hub: Hub, limit: int = 0) -> subprocess.Popen[str]:
    """A pull in a process of its own, whose files may not be longer than ``limit``."""
    command = [sys.executable, "-c", CHILD, str(models), hub.url(REPO, FILE), str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


needs_posix = pytest.mark.skipif(os.name != "posix", reason="limits and signals are POSIX")


@needs_posix
def test_a_disk_that_is_full_in_the_middle_leaves_nothing(hub: Hub, models: Path) -> None:
    out, error = child(models, hub, limit=100_000).communicate(timeout=60)
    assert out == ""
    assert f"There is no room for {FILE}" in error
    assert left_in(models) == []


def test_a_full_disk_is_known_by_its_error(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit above gives EFBIG; a full file system gives ENOSPC."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(PartialFile, "fill", full)
    with pytest.raises(DiskFull):
        puller(models, hub).pull(f"hf:{REPO}")
    assert left_in(models) == []


# --- killed, and twice at once ----------------------------------------------------------------------------------------

SIZE = int(os.environ.get("VAULTBRIDGE_TEST_PULL_BYTES", 40_000_000))
KILLS = 10


@needs_posix
def test_ctrl_c_keeps_what_has_arrived(hub: Hub, models: Path) -> None:
    hub.faults.slow = 0.05
    process = child(models, hub)
    while hub.sent[FILE] < 150_000 and process.poll() is None:
        threading.Event().wait(0.001)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert left_in(models) == [".tiny-Q4_0.part"]
    hub.faults.slow, before = 0, hub.sent[FILE]
    pulled = puller(models, hub).pull(hub.url(REPO, FILE))
    assert pulled.path.read_bytes() == hub.repositories[REPO][FILE]
    assert hub.sent[FILE] - before < len(hub.repositories[REPO][FILE]) - 50_000


def test_another_version_begins_anew(hub: Hub, models: Path, tmp_path: Path) -> None:
    hub.faults.cut = [200_000] + [0] * 50
    with pytest.raises(DownloadFailed):
        puller(models, hub).pull(f"hf:{REPO}")
    hub.faults.cut = []
    hub.repositories[REPO][FILE] = gguf(tmp_path, 100_000)
    assert puller(models, hub).pull(f"hf:{REPO}").path.read_bytes() == hub.repositories[REPO][FILE]


@needs_posix
@pytest.mark.timeout(300)
def test_a_pull_that_is_killed_ten_times_is_exact_in_the_end(hub: Hub, models: Path, tmp_path: Path) -> None:
    hub.repositories[REPO][FILE] = data = gguf(tmp_path, SIZE)
    hub.faults.slow = 0.002 * 40_000_000 / SIZE
    chance, killed = random.Random(6), 0
    for kill in range(KILLS):
        process = child(models, hub)
        # Killed when a random further part has left the hub; the last ones may find little left to fetch.
        target = hub.sent[FILE] + chance.uniform(0, (len(data) - hub.sent[FILE] / 1.5) / (KILLS - kill))
        while process.poll() is None and hub.sent[FILE] < target:
            threading.Event().wait(0.001)
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (models / "tiny-Q4_0").exists(), "never there by half"
    assert killed == KILLS
    out, error = child(models, hub).communicate(timeout=300)
    assert error == ""
    assert Path(out.strip()).read_bytes() == data
    assert left_in(models) == ["tiny-Q4_0"]


def test_two_processes_fetch_a_model_once(hub: Hub, models: Path) -> None:
    hub.faults.slow = 0.05
    both = [child(models, hub) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [error for _, error in outputs] == ["", ""]
    assert outputs[0] == outputs[1]
    assert hub.sent[FILE] <= len(hub.repositories[REPO][FILE]) + 3, "the file, and its first byte to learn its length"


def test_two_threads_fetch_a_model_once(hub: Hub, models: Path) -> None:
    hub.faults.slow = 0.05
    stages: list[str] = []
    other = threading.Thread(target=lambda: puller(models, hub).pull(f"hf:{REPO}"))

    def meet(stage: str, done: int, total: int) -> None:
        if not other.ident:
            other.start()
        stages.append(stage)

    puller(models, hub).pull(f"hf:{REPO}", meet)
    other.join()
    assert hub.sent[FILE] == len(hub.repositories[REPO][FILE]) + 1


# --- bad files --------------------------------------------------------------------------------------------------------


def hostile(folder: Path, tensors: int = 0, keys: int = 0, rest: bytes = b"") -> bytes:
    return b"GGUF" + (3).to_bytes(4, "little") + tensors.to_bytes(8, "little") + keys.to_bytes(8, "little") + rest


def numbers(*values: tuple[int, int]) -> bytes:
    return b"".join(value.to_bytes(size, "little") for value, size in values)


BAD = {
    "empty": b"",
    "renamed": b"PK\x03\x04 this is an archive of some kind, renamed",
    "a page": b"<!DOCTYPE html><title>Log in</title>",
    "cut in its header": b"GGUF\x03\0\0\0\x05",
    "another version": b"GGUF" + numbers((77, 4), (0, 8), (0, 8)),
    "a million keys": hostile(Path(), keys=1_000_000, rest=bytes(1000)),
    "more tensors than there are bytes": hostile(Path(), tensors=2**63, rest=bytes(1000)),
    "a key as long as 2**64": hostile(Path(), keys=1, rest=numbers((2**64 - 1, 8)) + bytes(100)),
    "a list as long as 2**62": hostile(Path(), keys=1, rest=numbers((1, 8), (97, 1), (9, 4), (4, 4), (2**62, 8))),
    "a list of 2**40 texts": hostile(Path(), keys=1, rest=numbers((1, 8), (97, 1), (9, 4), (8, 4), (2**40, 8))),
    "an unknown type": hostile(Path(), keys=1, rest=numbers((1, 8), (97, 1), (99, 4))),
    "a tensor of 4294967295 dimensions": hostile(Path(), tensors=1, rest=numbers((1, 8), (97, 1), (2**32 - 1, 4))),
    "weights that overflow": hostile(
        Path(),
        tensors=1,
        rest=numbers((1, 8), (97, 1), (2, 4), (2**63, 8), (2**63, 8), (0, 4), (0, 8)) + bytes(64),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_clear_error(hub: Hub, models: Path, name: str) -> None:
    hub.repositories[REPO][FILE] = BAD[name]
    with pytest.raises(ModelInvalid, match=FILE) as caught:
        puller(models, hub).pull(f"hf:{REPO}")
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert str(models) not in str(caught.value)
    assert left_in(models) == []


def test_a_file_cut_in_its_weights_is_refused(hub: Hub, models: Path, tmp_path: Path) -> None:
    whole = tiny_model(tmp_path).read_bytes()
    hub.repositories[REPO][FILE] = whole[:-100]
    with pytest.raises(ModelInvalid, match="bytes of its weights are missing"):
        puller(models, hub).pull(f"hf:{REPO}")
    hub.repositories[REPO][FILE] = whole
    assert puller(models, hub).pull(f"hf:{REPO}").path.is_file()
