"""HTTP requests and responses as values. Nothing here sends."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

BODY_LIMIT: Final = 64 * 1024
"""The most bytes of a vendor's response or callback. A longer body is refused."""


class MalformedWebhookError(ValueError):
    """A callback cannot be parsed, or contradicts itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request to a vendor. Its `repr` shows only the method, because the rest contains credentials and texts."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    response_limit: int = BODY_LIMIT
    """The most bytes of the response."""

    @classmethod
    def get(
        cls,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str],
        response_limit: int = BODY_LIMIT,
    ) -> "HttpRequest":
        address = f"{url}?{urlencode(query)}" if query else url
        return cls(method="GET", url=address, headers=headers, response_limit=response_limit)

    @classmethod
    def post_json(cls, url: str, document: Any, *, headers: Mapping[str, str]) -> "HttpRequest":
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(method="POST", url=url, headers={**headers, "Content-Type": "application/json"}, body=body)

    @classmethod
    def post_form(cls, url: str, fields: Mapping[str, str], *, headers: Mapping[str, str]) -> "HttpRequest":
        form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        return cls(method="POST", url=url, headers=form, body=urlencode(fields).encode())

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A vendor's complete response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def json(self) -> Any:
        """Return the JSON value of the body. Raise ValueError if it is not JSON.

        Its encoding is that of its byte order mark, or UTF-8. A byte that does not fit becomes U+FFFD: it may be in an
        echo of the text, and must not hide the id beside it.
        """
        try:
            return json.loads(self.body.decode(json.detect_encoding(self.body), "replace"))
        except RecursionError as error:
            raise ValueError("nested too deep") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """A callback from a vendor: the raw query string, header names in lower case, and the decoded body."""

    method: str
    query: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


def _load_json(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deep") from error
