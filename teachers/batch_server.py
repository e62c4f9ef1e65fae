"""The batch server: files and batches behind the OpenAI protocol, with one-line errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.errors import TeacherError
from distill.libraries import resolve

ENDED = ("completed", "expired", "cancelled", "failed")
TAG = "ner-distill"  # metadata of a batch: which request file it is made of


@dataclass(frozen=True, slots=True)
class Standing:
    """How a batch stands."""

    status: str
    done: int = 0
    failed: int = 0
    files: tuple[str, ...] = ()
    error: str = ""

    @property
    def ended(self) -> bool:
        return self.status in ENDED


class BatchServer:
    """Uploads, batches and results. Raises TeacherError where the server refuses."""

    def __init__(self, url: str, key: str | None, timeout: float) -> None:
        self._openai: Any = resolve("openai", "teach")
        self._key, self._url = key or "none", url
        self._client = self._openai.OpenAI(api_key=self._key, base_url=url, timeout=timeout, max_retries=4)

    def upload(self, path: Path) -> str:
        """The id of an uploaded request file."""
        with path.open("rb") as file:
            return str(self._asked(lambda: self._client.files.create(file=(path.name, file), purpose="batch").id))

    def create(self, upload: str, tag: str) -> str:
        """The id of a new batch. Never tried again by itself: a second batch would be paid for as well."""
        once = self._client.with_options(max_retries=0)
        return str(self._asked(lambda: once.batches.create(
            input_file_id=upload, endpoint="/v1/chat/completions", completion_window="24h", metadata={TAG: tag},
        ).id))  # fmt: skip

    def find(self, tag: str) -> str:
        """The batch that an interrupted call may have created, or an empty string."""
        batches = self._asked(lambda: list(self._client.batches.list(limit=100).data))
        return next((str(batch.id) for batch in batches if (batch.metadata or {}).get(TAG) == tag), "")

    def standing(self, batch: str) -> Standing:
        """How a batch stands, and the files with its results."""
        found = self._asked(lambda: self._client.batches.retrieve(batch))
        counts = found.request_counts
        files = tuple(file for file in (found.output_file_id, found.error_file_id) if file)
        errors = getattr(found.errors, "data", None) or []
        said = "; ".join(" ".join(str(error.message).split())[:200] for error in errors[:3])
        return Standing(found.status, counts.completed if counts else 0, counts.failed if counts else 0, files, said)

    def download(self, files: tuple[str, ...], path: Path) -> None:
        """All results of a batch in one file, which appears whole."""
        rough = path.with_name(path.name + ".new")
        with rough.open("wb") as out:
            for file in files:
                out.write(self._content(file))
        rough.replace(path)

    def _content(self, file: str) -> bytes:
        content: bytes = self._asked(lambda: self._client.files.content(file).content)
        return content

    def _asked(self, call: Callable[[], Any]) -> Any:
        with self._one_line():
            return call()

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except self._openai.APIStatusError as error:
            body = error.body if isinstance(error.body, dict) else {}
            text = " ".join(str(body.get("message") or error.message).split())[:300].replace(self._key, "***")
            raise TeacherError(f"the batch server says HTTP {error.status_code}: {text}") from None
        except self._openai.APIConnectionError as error:
            why = " ".join(str(error.__cause__ or type(error).__name__).split())[:120]
            raise TeacherError(f"no connection to the batch server ({why}); check --base-url") from None
