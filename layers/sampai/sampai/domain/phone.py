"""E.164 numbers: their format, their country, and their masked form."""

import re
import unicodedata
from typing import Final

E164: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
"""A complete E.164 number. Use `fullmatch`, because `match` with `$` accepts a newline at the end."""

# The country codes that ITU-T E.164 assigns, each with an ISO 3166-1 code. A code of several regions (+1, +7, +44 and
# others) has the ISO code of the largest one.
_CALLING_CODES: Final = {
    entry[:-2]: entry[-2:]
    for entry in (
        "1US 20EG 211SS 212MA 213DZ 216TN 218LY 220GM 221SN 222MR 223ML 224GN 225CI 226BF 227NE 228TG 229BJ "
        "230MU 231LR 232SL 233GH 234NG 235TD 236CF 237CM 238CV 239ST 240GQ 241GA 242CG 243CD 244AO 245GW "
        "246IO 247AC 248SC 249SD 250RW 251ET 252SO 253DJ 254KE 255TZ 256UG 257BI 258MZ 260ZM 261MG 262RE "
        "263ZW 264NA 265MW 266LS 267BW 268SZ 269KM 27ZA 290SH 291ER 297AW 298FO 299GL 30GR 31NL 32BE 33FR "
        "34ES 350GI 351PT 352LU 353IE 354IS 355AL 356MT 357CY 358FI 359BG 36HU 370LT 371LV 372EE 373MD 374AM "
        "375BY 376AD 377MC 378SM 380UA 381RS 382ME 383XK 385HR 386SI 387BA 389MK 39IT 40RO 41CH 420CZ 421SK "
        "423LI 43AT 44GB 45DK 46SE 47NO 48PL 49DE 500FK 501BZ 502GT 503SV 504HN 505NI 506CR 507PA 508PM 509HT "
        "51PE 52MX 53CU 54AR 55BR 56CL 57CO 58VE 590GP 591BO 592GY 593EC 594GF 595PY 596MQ 597SR 598UY 599CW "
        "60MY 61AU 62ID 63PH 64NZ 65SG 66TH 670TL 672NF 673BN 674NR 675PG 676TO 677SB 678VU 679FJ 680PW 681WF "
        "682CK 683NU 685WS 686KI 687NC 688TV 689PF 690TK 691FM 692MH 7RU 81JP 82KR 84VN 850KP 852HK 853MO "
        "855KH 856LA 86CN 880BD 886TW 90TR 91IN 92PK 93AF 94LK 95MM 960MV 961LB 962JO 963SY 964IQ 965KW 966SA "
        "967YE 968OM 970PS 971AE 972IL 973BH 974QA 975BT 976MN 977NP 98IR 992TJ 993TM 994AZ 995GE 996KG 998UZ"
    ).split()
}

COUNTRIES: Final = frozenset(_CALLING_CODES.values())
"""The countries that numbers can have."""

_WITHOUT_TRUNK_ZERO: Final = ("+62", "+95", "+855", "+880")
"""Countries with a trunk prefix 0 in national notation, which no number has in E.164 (ITU-T E.129)."""


_DIALED: Final = re.compile(r"\+?[0-9]+", re.ASCII)
_SEPARATORS: Final = re.compile(r"\(0\)|[\s().\-/\u2010-\u2015\u2212\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
"""The trunk zero in parentheses, and characters between and around the digits of a number, some of them invisible."""
_ADDRESS: Final = re.compile(
    r"(?:tel:|whatsapp:)?(.*?)(?:(?::[0-9]+)?@(?:c\.us|s\.whatsapp\.net))", re.ASCII | re.DOTALL
)
"""An address on WhatsApp. Its number has no prefix."""


def has_trunk_zero(number: str) -> bool:
    """Return whether the trunk prefix of the national notation was left in an E.164 number: `+62081…`."""
    return any(number.startswith(f"{code}0") for code in _WITHOUT_TRUNK_ZERO)


def normalize_number(number: str, *, home: str | None = None, is_international: bool = False) -> str | None:
    """Return a number in any common notation as E.164, or None if it is none or if its country is not certain.

    `home` is the ISO 3166-1 code of the country that national notation refers to. With `is_international`, a number
    without a prefix begins with its calling code. A trunk zero after the calling code is dropped.
    """
    text = "".join(
        str(unicodedata.decimal(character, character)) for character in unicodedata.normalize("NFKC", number)
    )
    address = _ADDRESS.fullmatch(text)
    dialed = _SEPARATORS.sub("", address[1] if address else text)
    if not _DIALED.fullmatch(dialed):
        return None
    digits = _international_digits(dialed, home, is_international=is_international or address is not None)
    full = "" if digits is None else _drop_trunk_zero(f"+{digits}")
    return full if E164.fullmatch(full) and calling_code_of(full) else None


def _international_digits(dialed: str, home: str | None, *, is_international: bool) -> str | None:
    """Return the digits from the calling code on, or None if it is not certain where it begins."""
    home_code = next((code for code, country in _CALLING_CODES.items() if country == home), None)
    if dialed.startswith("+"):
        return dialed[1:]
    if dialed.startswith("00"):
        return dialed[2:]
    if dialed.startswith("0"):
        return None if home_code is None else home_code + dialed[1:]
    is_home = home_code is not None and dialed.startswith(home_code)
    return dialed if is_international or is_home else None


def _drop_trunk_zero(number: str) -> str:
    code = next((code for code in _WITHOUT_TRUNK_ZERO if number.startswith(f"{code}0")), None)
    return number if code is None else code + number[len(code) + 1 :]


def calling_code_of(number: str) -> str | None:
    """Return the country calling code of an E.164 number, or None if it is not assigned, or for any other text."""
    if not number.startswith("+"):
        return None
    return next((number[1 : 1 + n] for n in (1, 2, 3) if number[1 : 1 + n] in _CALLING_CODES), None)


def country_of(number: str) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of an E.164 number's country, or None if its code is not assigned.

    An e-mail address has no country.
    """
    code = calling_code_of(number)
    return None if code is None else _CALLING_CODES[code]


def mentions(text: str, number: str) -> bool:
    """Return whether a text has an E.164 number in it: in international or national notation, with any separators.

    Digits of every script count. A longer number that contains these digits is another number.
    """
    code = calling_code_of(number) or ""
    gap = rf"(?:{_SEPARATORS.pattern})*"
    national = gap.join(number[1 + len(code) :])
    prefix = rf"(?:(?:00{gap})?{code}{gap})?(?:0{gap})?"
    digits = "".join(str(unicodedata.decimal(character, character)) for character in text)
    return re.search(rf"(?<!\d){prefix}{national}(?!\d)", digits) is not None


def mask(number: str) -> str:
    """Return a number that is safe for events and logs: `+85591234511` becomes `+855*****511`."""
    code = calling_code_of(number) or ""
    subscriber = number[1 + len(code) :]
    return f"+{code}{'*' * (len(subscriber) - 3)}{subscriber[-3:]}"
