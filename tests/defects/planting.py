"""Plant a defect: replace a function, a method or a constant of the product by a faulty one, in this process only."""

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

TESTS: Final = Path("tests")


class Planter:
    """Replaces attributes of the product and restores them at the end."""

    def __init__(self) -> None:
        self._restore = ExitStack()
        self.planted = 0

    def replace(self, owner: ModuleType | type, name: str, make: Callable[[Any], Any]) -> None:
        """Replace an attribute of a class or a module by `make(original)`.

        A function that other modules have imported by name is replaced there too. Raises AttributeError if the product
        has no such attribute any more.
        """
        original = inspect.getattr_static(owner, name)
        places: list[ModuleType | type] = [owner]
        if isinstance(owner, ModuleType):
            places += [module for module in _product() if module is not owner and vars(module).get(name) is original]
        wrapper = type(original) if isinstance(original, staticmethod | classmethod) else None
        faulty = make(original.__func__ if wrapper else original)
        for place in places:
            setattr(place, name, wrapper(faulty) if wrapper else faulty)
            self._restore.callback(setattr, place, name, original)
        self.planted += 1

    def restore(self) -> None:
        self._restore.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """A mistake, the tests that should find it, and the simulated scenario and promise that it breaks, if any."""

    title: str
    plant: Callable[[Planter], None]
    tests: tuple[str, ...] = ()
    """Test files in short, the fastest first: `unit/domain/status` is tests/unit/domain/test_status.py."""
    scenario: str | None = None
    promise: str | None = None

    def test_files(self) -> list[Path]:
        """Return the test files that should find the defect."""
        return [TESTS / Path(name).with_name(f"test_{Path(name).name}.py") for name in self.tests]


@contextmanager
def planted(defect: Defect) -> Iterator[None]:
    """Run with a defect in the product."""
    planter = Planter()
    try:
        defect.plant(planter)
        yield
    finally:
        planter.restore()


def _product() -> list[ModuleType]:
    return [module for name, module in sys.modules.items() if name.partition(".")[0] == "sampai"]
