"""Models of other programs: found by their own layouts, used where they lie, never touched."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from gguf import GGUFWriter

from vaultbridge.catalog.choice import offered_gemma
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.found import Elsewhere
from vaultbridge.catalog.pull import Puller
from vaultbridge.catalog.supply import Supply
from vaultbridge.core.errors import ConfigError
from vaultbridge.core.ports import ModelHub


def weights(path: Path, chats: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(path, "gemma")
    writer.add_string("made.for", str(path.name))
    if chats:
        writer.add_chat_template("{{ messages }}")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    return path


def in_ollama(root: Path, name: str, tag: str, space: str = "library") -> Path:
    made = weights(root / "made")
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    blob = root / "blobs" / f"sha256-{digest}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    made.rename(blob)
    manifest = root / "manifests" / "registry.ollama.ai" / space / name / tag
    manifest.parent.mkdir(parents=True)
    layers = [
        {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:0"},
        {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}"},
    ]
    manifest.write_text(json.dumps({"layers": layers}))
    return blob


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def supply(home: Path, **environment: str) -> Supply:
    return Supply(folder=ModelFolder(home.parent / "models"), elsewhere=Elsewhere(home, environment))


def found(home: Path, **environment: str) -> dict[str, tuple[Path, str]]:
    return {model.name: (model.path, model.origin) for model in Elsewhere(home, environment).models}


def test_lm_studio(home: Path) -> None:
    path = weights(home / ".lmstudio/models/lmstudio-ai/gemma-2b-it-GGUF/gemma-2b-it-q8_0.gguf")
    weights(path.with_name("mmproj-gemma.gguf"))
    path.with_name("broken.gguf").write_bytes(b"<html>")
    path.with_name("dangling.gguf").symlink_to(home / "nowhere")
    assert found(home) == {"gemma-2b-it-q8_0": (path, "LM Studio")}


def test_lm_studio_where_its_pointer_says(home: Path, tmp_path: Path) -> None:
    path = weights(tmp_path / "big disk/models/a/b/c.gguf")
    home.mkdir()
    (home / ".lmstudio-home-pointer").write_text(f"{tmp_path / 'big disk'}\n")
    assert found(home) == {"c": (path, "LM Studio")}


def test_ollama_by_its_manifests(home: Path, tmp_path: Path) -> None:
    blob = in_ollama(home / ".ollama/models", "gemma", "2b")
    own = in_ollama(tmp_path / "ollama", "tuned", "latest", space="someone")
    (home / ".ollama/models/manifests/registry.ollama.ai/library/gemma/broken").write_text("{")
    assert found(home, OLLAMA_MODELS=str(tmp_path / "ollama")) == {
        "gemma:2b": (blob, "Ollama"),
        "someone/tuned:latest": (own, "Ollama"),
    }


def test_gpt4all_and_the_hugging_face_cache(home: Path, tmp_path: Path) -> None:
    old = weights(home / ".cache/gpt4all/old.gguf")
    blob = weights(tmp_path / "hf/hub/models--a--b/blobs/123")
    cached = tmp_path / "hf/hub/models--a--b/snapshots/c0ffee/new-00001-of-00002.gguf"
    cached.parent.mkdir(parents=True)
    cached.symlink_to(blob)
    weights(cached.with_name("new-00002-of-00002.gguf"))
    assert found(home, HF_HOME=str(tmp_path / "hf")) == {
        "old": (old, "GPT4All"),
        "new": (cached, "the Hugging Face cache"),
    }


def test_what_is_found_is_used_by_its_name_and_never_deleted(home: Path) -> None:
    blob = in_ollama(home / ".ollama/models", "gemma", "2b")
    ours = supply(home)
    model = ours.resolve("gemma:2b", "chat")
    assert (model.name, model.path, model.backend) == ("gemma:2b", blob, "llama")
    with pytest.raises(ConfigError, match="belongs to Ollama"):
        ours.remove("gemma:2b")
    assert blob.is_file()
    assert [(other.name, other.origin) for other in ours.others()] == [("gemma:2b", "Ollama")]


def no_hub() -> ModelHub:
    raise AssertionError("nothing has to be fetched")


def test_a_model_of_the_catalogue_is_used_where_it_lies(home: Path) -> None:
    path = weights(home / ".lmstudio/models/ggml-org/gemma-3-4b-it-qat-GGUF/gemma-3-4b-it-qat-Q4_0.gguf")
    ours = supply(home)
    assert ours.others() == []
    status = ours.status("gemma-3-4b-it")
    assert not status.present
    assert status.found is not None
    assert ours.resolve("gemma-3-4b-it", "chat").path == path
    assert ours.resolve("gemma-3-4b-it", "chat").context == ours.catalog.get("gemma-3-4b-it").context
    pulled = Puller(ours, no_hub).pull("gemma-3-4b-it")
    assert pulled.path == path
    assert "LM Studio" in pulled.note
    with pytest.raises(ConfigError, match="belongs to LM Studio"):
        ours.remove("gemma-3-4b-it")
    assert path.is_file()


def test_a_folder_in_the_hugging_face_cache(home: Path) -> None:
    ours = supply(home)
    snapshot = home / ".cache/huggingface/hub/models--BAAI--bge-m3/snapshots/c0ffee"
    for file in ours.catalog.get("bge-m3").file_names("any"):
        (snapshot / file).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / file).write_text("{}")
    assert ours.resolve("bge-m3", "embedder").path == snapshot
    (snapshot / "sparse_linear.pt").unlink()
    assert supply(home).status("bge-m3").found is None


def test_a_gemma_is_offered_until_a_model_is_fetched(home: Path) -> None:
    assert offered_gemma(supply(home)) is None
    weights(home / ".lmstudio/models/a/b/llama-3.gguf")
    weights(home / ".lmstudio/models/a/b/gemma-base.gguf", chats=False)
    assert offered_gemma(supply(home)) is None
    weights(home / ".lmstudio/models/a/b/gemma-2b-it-q8_0.gguf")
    offered = offered_gemma(supply(home))
    assert offered is not None
    assert supply(home).resolve(offered.name, "chat").path == offered.path
    entry = supply(home).catalog.get("gemma-3-4b-it")
    place = supply(home).folder.path_of(entry)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"GGUF")
    assert offered_gemma(supply(home)) is None
