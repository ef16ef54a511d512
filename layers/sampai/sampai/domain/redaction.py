"""Cut every private value out of a vendor's words.

The words of a refusal may repeat the request: whole, in part, encoded, or formatted in another way. The rules prefer to
cut too much. A word stays only if nothing that we sent resembles it, or if it is one of the plain words with which
vendors describe a refusal.
"""

import re
import sys
import unicodedata
from base64 import b64encode
from collections.abc import Collection, Iterable, Iterator
from html import unescape
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

MAX_CHARACTERS: Final = 500
"""The longest result."""

MAX_WORDS_BYTES: Final = 4 * 1024
MAX_DECODED_CHARACTERS: Final = 2000
"""The part of a vendor's words that is read, as bytes and then without their encodings. The result is shorter."""

CUT: Final = "[…]"

MAX_LAYERS: Final = 4
"""Encodings inside each other that are decoded, such as JSON in JSON."""

SHARED: Final = 4
"""Characters in a row that make a word resemble a private value."""

PHRASE: Final = 3
"""Plain words in a row that are cut if a value has them in the same order."""

MIN_DIGITS: Final = 4
"""Digits that may be a number or a one-time password."""

MAX_ENCODED_VALUE: Final = 64
"""Characters. The encoded form of a longer value is an opaque run, which is cut without knowing the value."""

PLAIN_WORDS: Final = frozenset(
    """
    a about above accepted access account active after again all allowed already an and any api application are at
    attempts auth authenticated authentication authorization authorized available bad balance banned basic be bearer
    been before below blacklist blacklisted blocked body but by campaign cannot channel character characters charset
    check code codes condition contact contains content could country credential credentials credit customer data
    date denied destination detail details detected device did disabled disallowed do does domain duplicate email
    empty enabled enough error errors exceed exceeded exceeds exist exists expired failed failure false field fields
    file for forbidden format found from gateway greater group has have header html http https id if in inactive
    incorrect information input insufficient internal invalid is it json key kind label length less limit limits
    line list location long longer malformed match may media message messages method missing more msg must name
    network no none not null number numbers of ok on one only operator or order originator out parameter parameters
    password payload permission phone plain plan please price profile province quota rate reached reason receiver
    recipient recipients records refused region registered reject rejected request requests required response result
    results retry route same send sender server service short should size sms spam status string subject submit
    subscription success support suspended system template text than that the this throttled time to token too top
    true try type unable unauthenticated unauthorized undefined unexpected unicode unknown unsupported url use used
    user username valid validation value values was whatsapp whitelist whitelisted wrong you your
    """.split()
)
"""Words that say nothing about a person or a text."""

_TOKEN: Final = re.compile(r"(?:[^\W_]|[^\x00-\x7f])+")
"""A word: letters and digits, and every character outside of ASCII, because some scripts have marks and no spaces."""

_CHUNK: Final = re.compile(r"[^\s\"'<>]+")
_ADDRESS_MARKS: Final = ("@", "://")
"""A chunk with one of these is an e-mail address or a URL."""

_DIGITS: Final = re.compile(r"[0-9](?:[\s().,:/+_‐–—-]{0,3}[0-9])*")
"""Digits with the separators of phone numbers, times and amounts."""

_OPAQUE: Final = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
"""A run that may be a key, a token, or a text in Base64 or hex."""
_NAME: Final = r"(?:[A-Z]{2,20}|[A-Z]?[a-z]{2,20}(?:[A-Z][a-z]{2,20})*)"
_READABLE: Final = re.compile(rf"{_NAME}(?:[_/=-]+{_NAME})*=?")
"""A name in camel case or snake case. Runs of random letters hardly ever look like one."""

_LABELLED: Final = re.compile(
    r"(?:key|token|secret|passw|pwd|credential|signature|cookie)\w{0,30}[\"']?\s?[:=]\s?"
    r"(?P<value>\"[^\"]{0,200}|'[^']{0,200}|[^\s\"',;&}<]{1,200})",
    re.IGNORECASE,
)
"""A value whose name says that it is secret, such as a key that the vendor chose."""

_ESCAPE: Final = re.compile(
    r"\\(?:u(?P<unit>[0-9a-fA-F]{4})|U(?P<point>[0-9a-fA-F]{8})|x(?P<byte>[0-9a-fA-F]{2})|(?P<control>[nrtbf])|(?P<same>.))"
)
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_SPECIAL: Final = re.compile(r"[^ -~]")
"""All but the printable characters of ASCII, which are by far the most and stay as they are."""
_MARKUP: Final = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]{0,2000}>", re.IGNORECASE | re.DOTALL)
_PAGE: Final = re.compile(r"\s*<(!doctype html|html|head|body)\b", re.IGNORECASE)


def redact(words: bytes, *, private: Iterable[str], files: Iterable[bytes] = (), codes: Collection[str] = ()) -> str:
    """Return a vendor's words as one line of at most 500 characters, with `[…]` in place of everything private.

    `private` are the values that we know, each as it is: texts, numbers, addresses, senders, credentials, tokens and
    keys. `files` are the files that we sent. `codes` are numbers that stay, such as the HTTP status.
    """
    decoded = _decode(words[:MAX_WORDS_BYTES].decode("utf-8", "replace"))
    text = _normalize(decoded)[:MAX_DECODED_CHARACTERS]
    known = _Known(private, files)
    codes = {"".join(filter(str.isalnum, code)) for code in codes}
    is_cut = bytearray(len(text))
    for start, end in (
        *(match.span() for match in _CHUNK.finditer(text) if any(mark in match[0] for mark in _ADDRESS_MARKS)),
        *(match.span("value") for match in _LABELLED.finditer(text) if match["value"].casefold() not in PLAIN_WORDS),
        *(match.span() for match in _OPAQUE.finditer(text) if _READABLE.fullmatch(match[0]) is None),
        *_number_spans(text, known, codes),
        *_word_spans(text, known, codes),
    ):
        is_cut[start:end] = b"\1" * (end - start)
    return _shorten(_render(text, is_cut))


class _Known:
    """The private values in the form in which words are compared with them."""

    def __init__(self, private: Iterable[str], files: Iterable[bytes]) -> None:
        values = {value for given in private for value in (given, *_encoded(given))}
        sequences = [tuple(_fold(value)) for value in values]
        self.files = tuple(files)
        self.phrases = {
            *(sequence for sequence in sequences if 0 < len(sequence) < PHRASE),
            *(sequence[at : at + PHRASE] for sequence in sequences for at in range(len(sequence) - PHRASE + 1)),
        }
        """Words in a row: those of each short value, and every three of a longer one."""
        self.words = {word for sequence in sequences for word in sequence}
        joined = ["".join(sequence) for sequence in sequences]
        self.shared = {text[at : at + SHARED] for text in joined for at in range(len(text) - SHARED + 1)}

    def resembles(self, word: str) -> bool:
        """Return whether a folded word has a part in common with a value, or is one of its short words."""
        if len(word) < SHARED:
            may_be_part = (word.isdigit() and len(word) > 1) or not word.isascii()
            return word in self.words or (may_be_part and any(word in known for known in self.words))
        return any(word[at : at + SHARED] in self.shared for at in range(len(word) - SHARED + 1))

    def is_in_file(self, word: str) -> bool:
        """Return whether a word, as it is written, is in a file."""
        return len(word) >= SHARED and any(word.encode() in file for file in self.files)


def _word_spans(text: str, known: _Known, codes: Collection[str]) -> Iterator[tuple[int, int]]:
    """Yield the spans of words that resemble private values, and of plain words that repeat one together."""
    tokens = [(match[0], _fold_word(match[0]), match.span()) for match in _TOKEN.finditer(text)]
    others = {written for written, folded, _ in tokens if folded not in PLAIN_WORDS and written not in codes}
    private = {word for word in others if known.resembles(_fold_word(word)) or known.is_in_file(word)}
    yield from (span for written, _, span in tokens if written in private)
    sequence = tuple(folded for _, folded, _ in tokens)
    for length in range(1, PHRASE + 1):
        for at in range(len(sequence) - length + 1):
            if sequence[at : at + length] in known.phrases:
                yield tokens[at][2][0], tokens[at + length - 1][2][1]


def _number_spans(text: str, known: _Known, codes: Collection[str]) -> Iterator[tuple[int, int]]:
    """Yield the spans of everything that may be a number or a one-time password."""
    for match in _DIGITS.finditer(text):
        digits = "".join(c for c in match[0] if c.isdigit())
        if len(digits) >= MIN_DIGITS and (match[0] not in codes or known.resembles(digits)):
            yield match.span()


def _encoded(value: str) -> Iterator[str]:
    """Yield a short value in Base64 and in hex."""
    if 0 < len(value) <= MAX_ENCODED_VALUE:
        data = value.encode("utf-8", "replace")
        yield b64encode(data).decode()
        yield data.hex()


def _fold(value: str) -> list[str]:
    """Return the words of a value as they are compared."""
    return [_fold_word(word) for word in _TOKEN.findall(_normalize(value))]


def _fold_word(word: str) -> str:
    """Return a word in lower case and without accents, which a vendor may remove."""
    folded = word.casefold()
    if folded.isascii():
        return folded
    return "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))


def _decode(text: str) -> str:
    """Return a text without the encodings that HTTP, JSON and HTML put around it."""
    if _PAGE.match(text):
        text = _MARKUP.sub(" ", text)
    for _ in range(MAX_LAYERS):
        decoded = unescape(unquote(_unescape_json(text), errors="replace"))
        if decoded == text:
            break
        text = decoded
    return text


def _unescape_json(text: str) -> str:
    r"""Return a text without the escapes of JSON and of Python's bytes: `\u1000`, `\/`, `\xe1`."""
    parts: list[str] = []
    end = 0
    pending = bytearray()
    for match in _ESCAPE.finditer(text):
        if pending and (match["byte"] is None or match.start() != end):
            parts.append(pending.decode("utf-8", "replace"))
            pending.clear()
        parts.append(text[end : match.start()])
        end = match.end()
        if match["byte"] is not None:
            pending.append(int(match["byte"], 16))
        elif code := match["unit"] or match["point"]:
            parts.append(chr(min(int(code, 16), sys.maxunicode)))
        else:
            parts.append(" " if match["control"] else match["same"])
    parts += [pending.decode("utf-8", "replace"), text[end:]]
    # Two escapes may be the halves of one character.
    return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _normalize(text: str) -> str:
    """Return a text on one line, in compatibility form, with ASCII digits and without invisible characters."""
    return " ".join(_SPECIAL.sub(_to_visible, unicodedata.normalize("NFKC", text)).split())


def _to_visible(match: re.Match[str]) -> str:
    character = match[0]
    if character.isspace():
        return " "
    if unicodedata.category(character) in _INVISIBLE:
        return ""
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)


def _render(text: str, is_cut: bytearray) -> str:
    """Return a text with one mark for each cut, also for cuts with nothing but spaces and signs between them."""
    starts = [0, *(at for at, (one, other) in enumerate(pairwise(is_cut), start=1) if one != other), len(text)]
    parts = [CUT if is_cut[start] else text[start:end] for start, end in pairwise(starts) if start < end]
    return re.sub(rf"{re.escape(CUT)}(?:[^\w\[\]]*{re.escape(CUT)})+", CUT, "".join(parts))


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 1]}…"
