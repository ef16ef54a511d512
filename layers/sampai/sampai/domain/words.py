"""Words of another release, in a vocabulary that this release knows in part."""

from enum import StrEnum
from typing import TypeVar

Word = TypeVar("Word", bound=StrEnum)


def word_of(vocabulary: type[Word], text: str) -> Word:
    """Return the member with this text. For an unknown text, return a value outside the vocabulary that keeps it.

    The value is equal to its text, and to no member.
    """
    try:
        return vocabulary(text)
    except ValueError:
        word = str.__new__(vocabulary, text)
        word._name_ = word._value_ = text
        return word


def is_known(word: StrEnum) -> bool:
    """Return whether a word of `word_of` is a member of its vocabulary."""
    return word.name in type(word).__members__
