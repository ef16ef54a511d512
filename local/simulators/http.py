"""An HTTP request to a simulator, and its reply."""

import email.parser
import email.policy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qsl

from local.simulators.outcomes import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request with its complete body. `path` is relative to the vendor's root; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    root_url: str

    def header(self, name: str) -> str:
        """Return a header, or an empty string."""
        return self.headers.get(name, "")

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in lower case."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def parameters(self) -> dict[str, str]:
        """The query parameters; the last value of a repeated name counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def json(self) -> Any:
        """Parse the body as JSON. Raises ValueError if it is not declared as JSON or not valid JSON."""
        if self.content_type != "application/json":
            raise ValueError("not declared as JSON")
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        """Return the text fields of an urlencoded or multipart body; empty for any other body."""
        if self.content_type == "application/x-www-form-urlencoded":
            return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
        if self.content_type == "multipart/form-data":
            parts = _parts(self.header("content-type"), self.body)
            return {part.name: part.content.decode("utf-8", "replace") for part in parts if part.file_name is None}
        return {}

    def files(self) -> dict[str, bytes]:
        """Return the files uploaded in a multipart body: the parts that have a file name."""
        if self.content_type != "multipart/form-data":
            return {}
        parts = _parts(self.header("content-type"), self.body)
        return {part.name: part.content for part in parts if part.file_name is not None}

    def uploads(self, name: str) -> list[tuple[str, bytes]]:
        """Return all files uploaded under one name, each with its file name."""
        if self.content_type != "multipart/form-data":
            return []
        parts = _parts(self.header("content-type"), self.body)
        return [(part.file_name, part.content) for part in parts if part.name == name and part.file_name is not None]


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply; `fault` is applied to it when it is written to the connection."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault = Fault.NONE
    raw_headers: tuple[bytes, ...] = ()
    """Lines that are written before the headers as they are, without a line end."""
    interim: bytes = b""
    """Bytes that are written before the reply."""

    @classmethod
    def json(cls, status: int, document: object, **headers: str) -> "Reply":
        """Build a JSON reply; `Retry_After="2"` becomes the header Retry-After."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps(document, ensure_ascii=False).encode(), "application/json", named)

    def with_fault(self, fault: Fault) -> "Reply":
        """Return the same reply with a fault."""
        return replace(self, fault=fault)


def html(status: int, title: str, **headers: str) -> Reply:
    """Build an HTML page, like that of a gateway in front of the vendor."""
    body = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Reply(status, body.encode(), "text/html; charset=UTF-8", headers)


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    content: bytes
    file_name: str | None


def _parts(content_type: str, body: bytes) -> list[_Part]:
    """Split a multipart body. The e-mail parser reads only the headers, because its line rules would corrupt a file."""
    boundary = _headers(f"Content-Type: {content_type}".encode()).get_boundary("")
    found = []
    for section in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        if section.startswith(b"--"):
            break
        head, _, content = section.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = _headers(head)
        name = headers.get_param("name", header="content-disposition")
        if isinstance(name, str):
            found.append(_Part(name, content, headers.get_filename()))
    return found


def _headers(lines: bytes) -> EmailMessage:
    return email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(lines + b"\r\n\r\n")
