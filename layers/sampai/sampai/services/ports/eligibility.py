"""The data that decides whether a message may be sent."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sampai.domain.inbound import Conversation
from sampai.domain.template import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityData:
    """Stored data on the numbers, conversations and providers of one query."""

    opted_out: frozenset[str] = field(default=frozenset(), repr=False)
    conversations: Mapping[str, Conversation] = field(default_factory=dict)
    """By room id."""
    catalogues: Mapping[str, Catalogue] = field(default_factory=dict)
    """By provider name. Templates of a provider without a catalogue are not checked."""


class EligibilityReader(Protocol):
    def look_up(
        self, *, numbers: Collection[str], conversations: Collection[str], catalogues: Collection[str]
    ) -> EligibilityData:
        """Read opt-outs, conversations and catalogues at once, with strong consistency. Raises UnavailableError."""
        ...
