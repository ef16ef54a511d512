"""The facts that decide whether a message may be sent."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sampai.domain.inbound import Conversation
from sampai.domain.template import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityData:
    """What the directory knows of the numbers, conversations and providers that it was asked about."""

    opted_out: frozenset[str] = field(default=frozenset(), repr=False)
    conversations: Mapping[str, Conversation] = field(default_factory=dict)
    catalogues: Mapping[str, Catalogue] = field(default_factory=dict)
    """By provider; without an entry nothing is known of its templates."""


class EligibilityReader(Protocol):
    """One read for everything that decides whether a message may be sent."""

    def look_up(
        self, *, numbers: Collection[str], conversations: Collection[str], catalogues: Collection[str]
    ) -> EligibilityData:
        """Return what is known, strongly consistent. Raises UnavailableError."""
        ...
