"""From a name or a path to files that a backend can load."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vaultbridge.catalog import folder as folder_module
from vaultbridge.catalog.catalog import this_platform
from vaultbridge.catalog.choice import choose_embedder, choose_reranker
from vaultbridge.catalog.folder import ModelFolder, default_folder
from vaultbridge.catalog.found import Elsewhere
from vaultbridge.catalog.supply import Model, Supply
from vaultbridge.core.errors import ConfigError, ModelInvalid, ModelMissing


@pytest.fixture
def supply(tmp_path: Path) -> Supply:
    return Supply(folder=ModelFolder(tmp_path / "models"), elsewhere=Elsewhere(tmp_path / "home", {}))


def place(supply: Supply, name: str, content: bytes = b"GGUF and more") -> Path:
    """Put a model's files there without fetching them."""
    entry = supply.catalog.get(name)
    for file in entry.file_names(this_platform()):
        path = supply.folder.home_of(entry) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return supply.folder.path_of(entry)


def test_a_name_whose_files_are_here(supply: Supply) -> None:
    path = place(supply, "smollm2-135m-instruct")
    model = supply.resolve("smollm2-135m-instruct", "chat")
    assert (model.name, model.path, model.backend) == ("smollm2-135m-instruct", path, "llama")
    assert (model.context, model.options) == (8192, {})
    assert supply.resolve("smollm2-135m-instruct", "completion") == model


def test_an_embedder_comes_with_what_its_class_takes(supply: Supply) -> None:
    place(supply, "all-minilm-l6-v2")
    model = supply.resolve("all-minilm-l6-v2", "embedder")
    assert model.path.is_dir()
    assert model.options["pooling"] == "mean"
    assert set(model.options) == {
        "languages", "max_tokens", "floor", "pooling", "query_prefix", "document_prefix",
    }  # fmt: skip


def test_a_name_that_is_not_fetched_names_the_command(supply: Supply) -> None:
    with pytest.raises(ModelMissing) as caught:
        supply.resolve("smollm2-135m-instruct", "chat")
    assert "vaultbridge models pull smollm2-135m-instruct" in caught.value.hint


def test_a_hub_model_put_into_the_folder_by_hand_is_found(supply: Supply) -> None:
    path = place(supply, "gemma-3-4b-it")
    assert supply.resolve("gemma-3-4b-it", "chat").path == path


def test_a_model_for_another_role(supply: Supply) -> None:
    with pytest.raises(ConfigError, match="embedder"):
        supply.resolve("all-minilm-l6-v2", "chat")


def test_a_path_is_used_as_it_is(supply: Supply, tmp_path: Path) -> None:
    file = tmp_path / "My Model.gguf"
    file.write_bytes(b"GGUF\x03")
    model = supply.resolve(str(file), "chat")
    assert (model.name, model.path, model.backend) == ("My Model", file, "llama")


@pytest.mark.parametrize("content", [b"", b"GGU", b"PK\x03\x04"])
def test_a_file_that_is_not_gguf(supply: Supply, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(content)
    with pytest.raises(ModelInvalid, match="not a GGUF file"):
        supply.resolve(str(file), "chat")
    with pytest.raises(ModelInvalid, match="not a GGUF file"):
        supply.resolve(str(tmp_path), "chat")


def test_a_damaged_catalogue_model(supply: Supply) -> None:
    place(supply, "smollm2-135m-instruct", b"junk")
    with pytest.raises(ModelInvalid, match="not a GGUF file"):
        supply.resolve("smollm2-135m-instruct", "chat")


@pytest.mark.parametrize("name", ["nowhere/model.gguf", "model.gguf", "./nothing/here"])
def test_a_path_that_is_not_there(supply: Supply, name: str) -> None:
    with pytest.raises(ModelMissing, match="no model at"):
        supply.resolve(name, "chat")


def test_a_name_that_is_not_there(supply: Supply) -> None:
    with pytest.raises(ModelMissing, match="No model is called") as caught:
        supply.resolve("smollm", "chat")
    assert "smollm2-135m-instruct" in caught.value.hint


def test_ones_own_folders(supply: Supply, tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match=r"config\.json"):
        supply.resolve(str(tmp_path), "embedder")
    (tmp_path / "config.json").touch()
    assert supply.resolve(str(tmp_path), "reranker").backend == "flag-reranker"
    plain = supply.resolve(str(tmp_path), "embedder")
    assert (plain.backend, plain.options) == ("flag", {"pooling": "cls", "max_tokens": 512, "floor": 0.0})
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 128}))
    described = supply.resolve(str(tmp_path), "embedder")
    assert described.options == {"pooling": "mean", "max_tokens": 128, "floor": 0.0}
    (tmp_path / "sparse_linear.pt").touch()
    assert supply.resolve(str(tmp_path), "embedder").backend == "flag-m3"


def test_a_language_model_is_a_reranker_of_its_own_kind(supply: Supply, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["GemmaForCausalLM"]}))
    assert supply.resolve(str(tmp_path), "reranker").backend == "flag-llm-reranker"


def test_ones_own_gguf_for_search(supply: Supply, tmp_path: Path) -> None:
    file = tmp_path / "own.gguf"
    file.write_bytes(b"GGUF\x03")
    assert supply.resolve(str(file), "embedder") == Model("own", file, "llama-embedder")
    assert supply.resolve(str(file), "reranker") == Model("own", file, "llama-reranker")


def test_a_file_of_the_catalogues_is_known_wherever_it_lies(supply: Supply, tmp_path: Path) -> None:
    file = tmp_path / "embeddinggemma-300M-Q8_0.gguf"
    file.write_bytes(b"GGUF\x03")
    model = supply.resolve(str(file), "embedder")
    assert (model.name, model.path) == ("embeddinggemma-300m", file)
    assert model.options["query_prefix"] == "task: search result | query: "
    assert supply.resolve(str(place(supply, "embeddinggemma-300m")), "embedder").options == model.options


def test_an_address_names_a_server_and_its_model(supply: Supply) -> None:
    model = supply.resolve("http://localhost:8080/v1#some-model", "embedder")
    assert (model.name, model.backend, model.address) == ("some-model", "remote-embedder", "http://localhost:8080/v1")
    assert model.options == {"model": "some-model"}
    assert supply.resolve("https://host/v1", "reranker").name == "host"
    assert supply.resolve("https://host/v1", "reranker").backend == "remote-reranker"
    known = supply.resolve("http://localhost:8080/v1#all-minilm-l6-v2", "embedder").options
    assert known["floor"] == supply.catalog.get("all-minilm-l6-v2").options["floor"]
    assert "pooling" not in known
    with pytest.raises(ConfigError, match="no host"):
        supply.resolve("http:///v1", "embedder")
    with pytest.raises(ModelMissing):
        supply.resolve("http://localhost:8080/v1", "chat")


def test_the_reranker_is_chosen_only_if_one_is_wanted(supply: Supply) -> None:
    assert choose_reranker("auto", supply) is None
    place(supply, "bge-reranker-v2-m3-gguf")
    place(supply, "bge-reranker-v2-m3")
    assert choose_reranker("none", supply) is None
    best = choose_reranker("auto", supply)
    assert best is not None
    assert best.name == "bge-reranker-v2-m3"
    assert choose_reranker("bge-reranker-v2-m3-gguf", supply) == supply.resolve("bge-reranker-v2-m3-gguf", "reranker")


def test_no_english_embedder_for_a_chinese_vault(supply: Supply) -> None:
    place(supply, "bge-small-en-v1.5-gguf")
    english, _ = choose_embedder("auto", supply, lambda: False)
    chinese, _ = choose_embedder("auto", supply, lambda: True)
    assert english is not None
    assert english.name == "bge-small-en-v1.5-gguf"
    assert chinese is None or not chinese.options["languages"]


@pytest.mark.parametrize(
    ("platform", "has_cjk", "expected"),
    [
        ("linux-x86_64", False, "multilingual-e5-small"),
        ("linux-aarch64", True, "multilingual-e5-small"),
        ("macos-arm64", True, "multilingual-e5-small"),
        ("macos-x86_64", False, "all-minilm-l6-v2"),
        ("windows-amd64", False, "all-minilm-l6-v2"),
        ("windows-amd64", True, None),
    ],
)
def test_the_starter_embedder(supply: Supply, platform: str, has_cjk: bool, expected: str | None) -> None:
    entry = supply.starter_embedder(has_cjk, platform)
    assert (entry.name if entry else None) == expected


def test_a_model_is_there_whole_or_not_at_all(supply: Supply) -> None:
    path = place(supply, "gemma-3-270m")
    assert supply.status("gemma-3-270m").present
    (path.parent / "NOTICE.md").unlink()
    assert not supply.status("gemma-3-270m").present
    assert [status.entry.name for status in supply.statuses() if status.present] == []


def test_removing(supply: Supply) -> None:
    place(supply, "gemma-3-270m")
    assert supply.remove("gemma-3-270m")
    assert not supply.remove("gemma-3-270m")
    assert supply.status("gemma-3-270m").on_disk == 0


@pytest.mark.parametrize("name", ["..", ".", "", "../models", "/", "gemma"])
def test_only_models_are_removed(supply: Supply, tmp_path: Path, name: str) -> None:
    place(supply, "gemma-3-270m")
    with pytest.raises(ModelMissing):
        supply.remove(name)
    assert supply.status("gemma-3-270m").present


def test_a_checkout_keeps_its_models_and_an_installation_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_folder() == Path(__file__).parents[2] / "models"
    monkeypatch.setattr(folder_module, "CHECKOUT_MODELS", tmp_path / "nothing")
    assert default_folder().parts[-2:] == ("vaultbridge", "models")
