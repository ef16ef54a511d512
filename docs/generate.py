"""Generate the reference pages from the code: `python -m docs.generate`. `--check` lists the stale files instead."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from unicodedata import name as name_of

from docs import tool
from docs.apis import asyncapi, openapi
from docs.client_types import java, typescript
from docs.schemas import schemas_by_name
from sampai.contract.settings import default_settings
from sampai.domain.status import Source, Status
from sampai.domain.typography import REPLACEMENTS
from sampai.providers.base import CONTENT_TYPES, Provider
from sampai.providers.features import SupportsListing, SupportsLookup, SupportsReferences
from sampai.providers.registry import PROVIDERS, load

REFERENCE: Final = Path(__file__).parent / "reference"
NOTICE: Final = "<!-- Written by `python -m docs.generate` from the code. Do not edit. -->"

Row = Sequence[object]

_ABOUT_CAPABILITIES: Final = """\
The features that each provider declares, by channel. A request for an undeclared feature is refused before the vendor
call: the message fails as `unsupported`, and the detail of the failure names the field or option. A provider is off on
a channel while one of its credentials for that channel is missing."""

_ABOUT_STATUSES: Final = """\
A report can only raise the rank, so duplicates, delays and any order of reports end in the same status. A report may
raise a final status too (`undelivered`, then `delivered`). The rank falls in one case only: a message returns to
`queued` for a further attempt, after a definite refusal or if the request has `on_unknown: resend`."""

_ABOUT_SETTINGS: Final = """\
[Configuration](configuration.md#the-settings) describes the fields and says when a change takes effect. The JSON Schema
is [settings.json](schemas/settings.json). Unknown fields are refused. No field is required: a document is merged over
the defaults."""

_ABOUT_TYPOGRAPHIC_CHARACTERS: Final = """\
With `replace_typographic_characters: true` in the [settings](settings.md), the text of an SMS gets these plain
characters if all of it then is in the GSM alphabet, and if it then needs no more segments. Any other text is sent
as requested: [limit segments](../how-to/limit-sending.md#limit-segments)."""


def pages() -> dict[str, str]:
    """Return the text of each generated file by its path within docs/reference."""
    schemas = {f"schemas/{name}.json": _json(schema) for name, schema in schemas_by_name().items()}
    return schemas | {
        "asyncapi.json": _json(asyncapi()),
        "openapi.json": _json(openapi()),
        "types/sampai.ts": typescript(),
        "types/Sampai.java": java(),
        "capabilities.md": _capabilities(),
        "cli.md": _page("The tool", *tool.parts()),
        "statuses.md": _statuses(),
        "settings.md": _settings(),
        "typographic-characters.md": _typographic_characters(),
    }


def stale() -> list[str]:
    """Return the paths, within docs/reference, of files that are missing, outdated or no longer generated."""
    wanted = pages()
    leftover = [f"{folder}/{file.name}" for folder in ("schemas", "types") for file in (REFERENCE / folder).glob("*")]
    return sorted(path for path in {*wanted, *leftover} if _present(path) != wanted.get(path))


def write() -> None:
    """Write the stale files, and delete schemas and types that are no longer generated."""
    wanted = pages()
    for path in stale():
        file = REFERENCE / path
        if path not in wanted:
            file.unlink()
            continue
        file.parent.mkdir(exist_ok=True)
        file.write_text(wanted[path], encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Write the files, or check them, and return the exit status."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m docs.generate [--check]", file=sys.stderr)
        return 2
    if not arguments:
        write()
        return 0
    for path in (found := stale()):
        print(f"stale: docs/reference/{path} (run `python -m docs.generate`)", file=sys.stderr)
    return 1 if found else 0


def _present(path: str) -> str | None:
    file = REFERENCE / path
    return file.read_text(encoding="utf-8") if file.exists() else None


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


# --- pages ----------------------------------------------------------------------------------------------------------

_FACTS: Final[Mapping[str, Callable[[type[Provider]], object]]] = {
    "content": lambda p: _codes(sorted(CONTENT_TYPES[kind] for kind in p.capabilities.contents)),
    "countries of the default routes": lambda p: _codes(sorted(p.capabilities.countries)),
    "credentials in the secret": lambda p: _codes(sorted(p.capabilities.credentials)),
    "longest text or caption, in characters": lambda p: p.capabilities.max_characters,
    "largest file in a request, or all its files, in bytes": lambda p: p.capabilities.max_file_bytes or "–",
    "messages per second, by default": lambda p: p.capabilities.max_per_second or "–",
    "lists in an `audience`, at most": lambda p: p.capabilities.max_lists or "–",
    "replies to a `room_id`": lambda p: _yes(p.capabilities.has_conversations),
    "promotional messages in one call, at most": lambda p: p.capabilities.max_batch_size,
    "sender": lambda p: "required" if p.needs_sender else "not required",
    "default sender": lambda p: _codes([p.default_sender] if p.default_sender else []),
    "`provider_options`": lambda p: _codes(f"{n}: {t.__name__}" for n, t in sorted(p.capabilities.options.items())),
    "webhook kinds": lambda p: _codes(sorted(p.capabilities.webhooks)),
    "lookup of one message": lambda p: _yes(issubclass(p, SupportsLookup)),
    "polled `delivered` believed from, in seconds": lambda p: p.capabilities.delivered_after_seconds,
    "default `timezone`": lambda p: _codes([p.capabilities.timezone] if p.capabilities.timezone else []),
    "list of messages": lambda p: _yes(issubclass(p, SupportsListing)),
    "returns our reference in lists and receipts": lambda p: _yes(issubclass(p, SupportsReferences)),
    "account checks": lambda p: _codes(sorted(p.capabilities.account_checks)),
    "default `base_url`": lambda p: _codes([p.default_base_url]),
}


def _capabilities() -> str:
    providers = [provider for name in PROVIDERS for provider in load(name)]
    head = [f"[{p.name}](providers/{p.name}.md) `{p.capabilities.channel}`" for p in providers]
    rows = [[fact, *(tell(provider) for provider in providers)] for fact, tell in _FACTS.items()]
    return _page("Capabilities", _ABOUT_CAPABILITIES, _table(["", *head], rows))


_MEANINGS: Final = {
    Status.SCHEDULED: "waits for `send_at`, or for the end of quiet hours",
    Status.QUEUED: "waits for a (further) attempt",
    Status.SENDING: "a worker has claimed it; a request to the vendor may be in progress",
    Status.UNKNOWN: "the outcome of an attempt is ambiguous: the vendor may have taken it; it is being reconciled",
    Status.ACCEPTED: "a vendor took it and returned an id",
    Status.SENT: "the vendor handed it to the network",
    Status.UNCONFIRMED: "the report horizon passed without final evidence",
    Status.CANCELED: "canceled before it was sent",
    Status.FAILED: "no vendor took it: refused by us, or definitely refused by every vendor on the route",
    Status.UNDELIVERED: "a vendor took it, and reports that it did not arrive",
    Status.DELIVERED: "on the handset",
    Status.READ: "opened",
}
_SOURCES: Final = {
    Source.SEND: "an attempt to send",
    Source.WEBHOOK: "a vendor's callback",
    Source.POLL: "a poll of the vendor's records",
    Source.SWEEP: "a time limit that passed",
    Source.CALLER: "a cancel request",
}


def _statuses() -> str:
    statuses = [[f"`{s}`", s.rank, _yes(s.is_final), _yes(s.is_failure), _MEANINGS[s]] for s in Status]
    sources = [[f"`{source}`", _SOURCES[source]] for source in Source]
    return _page(
        "Statuses",
        _ABOUT_STATUSES,
        _table(["status", "rank", "final", "always with a `failure`", "meaning"], statuses),
        "The origin of a change is the `source` of an event and of an entry in the history:",
        _table(["source", "origin"], sources),
    )


def _settings() -> str:
    schema = schemas_by_name()["settings"]
    names = ("ProviderSettings", "Limits", "CallerSettings", "QuietHoursSettings")
    provider, limits, caller, quiet_hours = (schema["$defs"][name]["properties"] for name in names)
    return _page(
        "Settings, field by field",
        _ABOUT_SETTINGS,
        _table(["field", "takes", "default"], _fields(schema["properties"])),
        "The [limits](../how-to/limit-sending.md), in `limits`; null: no limit:",
        _table(["field", "takes", "default"], _fields(limits)),
        "A [caller](../how-to/limit-sending.md#limit-one-caller), in `callers.<id>`:",
        _table(["field", "takes", "default"], _fields(caller)),
        "The [quiet hours](../how-to/quiet-hours.md) of a country, in `quiet_hours.<country>`:",
        _table(["field", "takes"], [row[:2] for row in _fields(quiet_hours)]),
        "A provider, in `providers.<name>`:",
        _table(["field", "takes", "default"], _fields(provider)),
        "The defaults, which `{}` stands for:",
        f"```json\n{_broad(default_settings())}\n```",
    )


def _typographic_characters() -> str:
    by_replacement: dict[str, list[str]] = {}
    for character, replacement in REPLACEMENTS.items():
        by_replacement.setdefault(replacement, []).append(character)
    rows = [[_shown(plain), "; ".join(map(_named, characters))] for plain, characters in by_replacement.items()]
    return _page("Typographic characters", _ABOUT_TYPOGRAPHIC_CHARACTERS, _table(["plain", "replaces"], rows))


def _shown(plain: str) -> str:
    words = {"": "nothing", " ": "a space", "\n": "a line feed"}
    return words.get(plain, f"`{plain}`")


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {name_of(character, 'CHARACTER TABULATION').lower()}"


def _fields(properties: Mapping[str, Any]) -> list[Row]:
    return [[f"`{name}`", _takes(rule), _default(rule)] for name, rule in properties.items()]


def _takes(rule: Mapping[str, Any]) -> str:
    kinds = [kind for kind in rule.get("anyOf", [rule]) if kind.get("type") != "null"]
    return " or ".join(map(_kind, kinds)) + (f". {rule['description']}" if "description" in rule else "")


def _kind(rule: Mapping[str, Any]) -> str:
    words = {"string": "text", "boolean": "true or false", "object": "object, see below", "integer": "whole number"}
    if "$ref" in rule:
        return words["object"]
    if rule["type"] == "array":
        return f"list{' of one or more' if rule.get('minItems') else ''}, each a {_kind(rule['items'])}"
    bounds = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}
    said = [f"{word} {rule[name]:g}" for name, word in bounds.items() if name in rule]
    said += [f"{rule['minLength']} to {rule['maxLength']} characters"] if "maxLength" in rule else []
    return ", ".join([words.get(rule["type"], rule["type"]), *said])


def _default(rule: Mapping[str, Any]) -> str:
    return f"`{json.dumps(rule['default'])}`" if "default" in rule else "below"


def _broad(document: Mapping[str, Any]) -> str:
    """Return a document as JSON with one line for each entry of an object in it."""
    lines = []
    for name, value in document.items():
        entries = [f"    {json.dumps(key)}: {json.dumps(entry)}" for key, entry in value.items()]
        lines.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(entries) + "\n  }")
    return "{\n" + ",\n".join(lines) + "\n}"


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", NOTICE, *parts]) + "\n"


def _table(head: Row, rows: Sequence[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _codes(words: Any) -> str:
    return ", ".join(f"`{word}`" for word in words) or "–"


def _yes(is_so: bool) -> str:
    return "yes" if is_so else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
