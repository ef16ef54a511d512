"""Template catalogues of the vendors."""

from typing import Protocol

from sampai.domain.template import Catalogue


class TemplateCatalogues(Protocol):
    """The templates and senders that each vendor offers."""

    def store_catalogue(self, provider: str, catalogue: Catalogue) -> None:
        """Replace the catalogue of a provider. Raises UnavailableError."""
        ...
