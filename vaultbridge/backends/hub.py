"""Hugging Face's hub, and every mirror that speaks as it does, through ``huggingface_hub``: what is in a repository."""

from __future__ import annotations

import os
import time
from typing import Any

from vaultbridge.core.errors import ConfigError, DownloadFailed, ModelMissing
from vaultbridge.core.ports import RemoteFile, RemoteRepository

_TIMEOUT = 20.0
_WAITS = (1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT = 60.0
_BUSY = (429, 502, 503, 504)


class HuggingFaceHub:
    """The hub that ``HF_ENDPOINT`` names, as the user whom ``HF_TOKEN`` or ``hf auth login`` names.

    ``endpoint`` and ``token`` take their place.
    """

    def __init__(self, endpoint: str = "", token: str = "") -> None:
        # Read at the import: the library would tell which others are installed, and ask for a list of programs.
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        from huggingface_hub import HfApi, constants, get_token

        constants.HF_HUB_DISABLE_TELEMETRY = True  # another library may have imported it before

        self._endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        self._token = token or get_token() or ""
        self._api = HfApi(self._endpoint, token=self._token or False, library_name="vaultbridge")

    def repository(self, repo: str, revision: str) -> RemoteRepository:
        """What is in a repository, all of one commit."""
        from huggingface_hub import hf_hub_url

        info = self._info(repo, revision)
        commit = info.sha or revision or "main"
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        files = [
            RemoteFile(
                path=file.rfilename,
                url=hf_hub_url(repo, file.rfilename, revision=commit, endpoint=self._endpoint),
                size=file.size or 0,
                sha256=file.lfs.sha256 if file.lfs else "",
                git_blob="" if file.lfs else file.blob_id or "",
                headers=headers,
            )
            for file in info.siblings or []
        ]
        card = info.card_data.to_dict() if info.card_data else {}
        licence = str(card.get("license_name") or card.get("license") or "")
        if info.gated and not self._token:
            raise ModelMissing(
                f"{repo} is gated: its licence ({licence or 'see its page'}) is to be accepted first.",
                _accept(f"{self._endpoint}/{repo}"),
            )
        link = card.get("license_link")
        return RemoteRepository(tuple(files), f"{licence} ({link})" if link else licence)

    def _info(self, repo: str, revision: str) -> Any:
        from huggingface_hub import errors

        page = f"{self._endpoint}/{repo}"
        # Of its HTTP client, which changes from version to version.
        client_error: type[Exception] = errors.HfHubHTTPError.__mro__[1]
        try:
            return self._asked(repo, revision)
        except errors.OfflineModeIsEnabled as error:
            hint = "Unset HF_HUB_OFFLINE, or use a model that is here: vaultbridge models list"
            raise ConfigError("Nothing is fetched in offline mode.", hint) from error
        except errors.HFValidationError as error:
            raise ModelMissing(f"{repo} is not a repository's name.", "Write it as hf:OWNER/NAME.") from error
        except errors.GatedRepoError as error:
            raise ModelMissing(f"{repo} is gated, and its licence is not accepted yet.", _accept(page)) from error
        except errors.RevisionNotFoundError as error:
            raise ModelMissing(f"{repo} has no revision {revision}.", "Leave it out, or correct it.") from error
        except errors.RepositoryNotFoundError as error:
            hint = "Check the name. If it is private, log in: set HF_TOKEN, or run hf auth login."
            raise ModelMissing(f"There is no repository {repo} at {self._endpoint}.", hint) from error
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            raise DownloadFailed(f"{self._endpoint} answers {status} for {repo}.", "Try again later.") from error
        except (client_error, OSError, ValueError) as error:
            hint = "Check the network. Where the hub is blocked, set HF_ENDPOINT to a mirror's address."
            raise DownloadFailed(f"{self._endpoint} cannot be reached ({type(error).__name__}).", hint) from error

    def _asked(self, repo: str, revision: str) -> Any:
        from huggingface_hub.errors import HfHubHTTPError

        for wait in _WAITS:
            try:
                return self._api.model_info(repo, revision=revision or None, files_metadata=True, timeout=_TIMEOUT)
            except HfHubHTTPError as error:
                told = error.response.headers.get("Retry-After", "")
                seconds = float(told) if told.isdecimal() else wait
                if error.response.status_code not in _BUSY or seconds > _LONGEST_WAIT:
                    raise
                time.sleep(seconds)
        return self._api.model_info(repo, revision=revision or None, files_metadata=True, timeout=_TIMEOUT)


def _accept(page: str) -> str:
    return f"Accept it at {page}, then log in: set HF_TOKEN, or run hf auth login."
