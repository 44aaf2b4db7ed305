"""ModelScope, which has most models that the hub has, behind an interface of its own."""

from __future__ import annotations

import os
from urllib.parse import quote

import httpx

from vaultbridge.core.errors import DownloadFailed, ModelMissing
from vaultbridge.core.ports import RemoteFile, RemoteRepository

_TIMEOUT_SECONDS = 20.0


class ModelScope:
    """The hub at ``endpoint``, as the user whom ``MODELSCOPE_API_TOKEN`` names."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        token = os.environ.get("MODELSCOPE_API_TOKEN", "")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def repository(self, repo: str, revision: str) -> RemoteRepository:
        """What is in a repository."""
        branch = revision or "master"
        address = f"{self._endpoint}/api/v1/models/{quote(repo)}/repo/files"
        try:
            response = httpx.get(
                address,
                params={"Revision": branch, "Recursive": "true"},
                headers=self._headers,
                timeout=_TIMEOUT_SECONDS,
                follow_redirects=True,
            )
            if response.status_code in (401, 403, 404):
                hint = "Check the name, or unset HF_ENDPOINT to use Hugging Face's own hub."
                raise ModelMissing(f"There is no repository {repo} at {self._endpoint}.", hint)
            listed = response.raise_for_status().json()["Data"]["Files"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise DownloadFailed(
                f"{self._endpoint} does not tell what is in {repo} ({type(error).__name__}).", "Try again later."
            ) from error
        files = [
            RemoteFile(
                path=file["Path"],
                url=f"{self._endpoint}/models/{quote(repo)}/resolve/{quote(branch, safe='')}/{quote(file['Path'])}",
                size=file.get("Size") or 0,
                sha256=file.get("Sha256") or "",
                headers=self._headers,
            )
            for file in listed
            if file.get("Type") != "tree"
        ]
        return RemoteRepository(tuple(files))
