"""HTTP requests and responses as values. Nothing here sends."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

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

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    def fields(self) -> dict[str, str]:
        """Return the fields of the query and of the body, which may be a form or a JSON object.

        Raise MalformedWebhookError if they cannot be parsed, or if a name occurs with two different values.
        """
        merged: dict[str, str] = {}
        for name, value in [*self._pairs(self.query.encode("utf-8", "surrogatepass")), *self._body_pairs()]:
            if _is_unstorable(name) or _is_unstorable(value):
                raise MalformedWebhookError("fields")
            if merged.setdefault(name, value) != value:
                raise MalformedWebhookError("contradicting fields")
        return merged

    def document(self) -> dict[str, Any]:
        """Return the JSON object in the body. Raise MalformedWebhookError for any other body."""
        try:
            document = _load_json(self.body, object_pairs_hook=_to_object)
        except ValueError as error:
            raise MalformedWebhookError("body") from error
        if not isinstance(document, dict):
            raise MalformedWebhookError("body")
        return document

    def _body_pairs(self) -> list[tuple[str, str]]:
        if not self.body.strip():
            return []
        if self.media_type == "application/json" or self.body.lstrip()[:1] == b"{":
            document = self.document()
            if any(isinstance(value, dict | list | bool | float) for value in document.values()):
                raise MalformedWebhookError("nested fields")
            return [(name, str(value)) for name, value in document.items() if value is not None]
        return self._pairs(self.body.strip())

    @staticmethod
    def _pairs(encoded: bytes) -> list[tuple[str, str]]:
        try:
            return parse_qsl(
                encoded.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=50, separator="&"
            )
        except ValueError as error:
            raise MalformedWebhookError("fields") from error


def _is_unstorable(text: str) -> bool:
    """Return whether a text contains NUL or a lone surrogate. JSON can express them, but the store cannot keep them."""
    return any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in text)


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name occurs twice")
    return document


def _load_json(body: bytes, **options: Any) -> Any:
    try:
        return json.loads(body.decode("utf-8"), **options)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
