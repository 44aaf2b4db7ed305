"""What a user may ask for: a name of the catalogue, a repository, an address or a package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from vaultbridge.core.errors import ConfigError

_HUB_PAGE = re.compile(r"/(?P<repo>[\w.-]+/[\w.-]+)/(?:resolve|blob)/(?P<revision>[^/]+)/(?P<path>.+)")
_HUBS = ("huggingface.co", "hf.co", "hf-mirror.com")
_REPO = re.compile(r"[\w.-]+/[\w.-]+")
_PACKAGE = re.compile(r"[A-Za-z0-9][\w.-]*(==[\w.!+-]+)?")


@dataclass(frozen=True, slots=True)
class InRepository:
    """``hf:REPO[@REVISION][:FILE or QUANT]``."""

    repo: str
    revision: str = ""
    wanted: str = ""

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf:{self.repo}{revision}" + (f":{self.wanted}" if self.wanted else "")


@dataclass(frozen=True, slots=True)
class AtAddress:
    """``https://…/model.gguf``."""

    url: str

    @property
    def file(self) -> str:
        """The name of the file there."""
        return unquote(urlsplit(self.url).path.rpartition("/")[2])

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class InPackage:
    """``wheel:PACKAGE[==VERSION]``."""

    requirement: str

    def __str__(self) -> str:
        return f"wheel:{self.requirement}"


@dataclass(frozen=True, slots=True)
class Named:
    """A name of the catalogue."""

    name: str


Reference = Named | InRepository | AtAddress | InPackage


def parse(text: str) -> Reference:
    """What ``text`` asks for; a file's page on the hub is that file. Raises ConfigError for what cannot be read."""
    kind, _, rest = text.partition(":")
    if kind in ("http", "https"):
        return _address(text)
    if kind == "hf":
        place, _, wanted = rest.partition(":")
        repo, _, revision = place.partition("@")
        if not _REPO.fullmatch(repo):
            raise ConfigError(f"{text} names no repository.", "Write it as hf:OWNER/NAME, hf:OWNER/NAME:Q4_K_M.")
        return InRepository(repo, revision, wanted)
    if kind == "wheel":
        if not _PACKAGE.fullmatch(rest):
            raise ConfigError(f"{text} names no package.", "Write it as wheel:PACKAGE or wheel:PACKAGE==VERSION.")
        return InPackage(rest)
    return Named(text)


def _address(text: str) -> Reference:
    try:
        parts = urlsplit(text)
        _ = parts.port  # read, it is checked
    except ValueError as error:
        raise ConfigError(
            f"{text} is not an address: {error}.", "Pass the address that a browser downloads."
        ) from error
    page = _HUB_PAGE.fullmatch(unquote(parts.path))
    if page and parts.hostname in _HUBS:
        revision = page["revision"]
        return InRepository(page["repo"], "" if revision == "main" else revision, page["path"])
    if not parts.hostname or not parts.path.endswith(".gguf"):
        raise ConfigError(f"{text} is not the address of a .gguf file.", "Pass the address that a browser downloads.")
    return AtAddress(text)
