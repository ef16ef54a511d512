"""Each defect of the catalogue can be planted, names tests that exist, and leaves no trace."""

import sys

import pytest

from tests.defects.catalogue import DEFECTS
from tests.defects.planting import Defect, Planter, planted
from tests.simulation.scenarios import SCENARIOS
from tests.template import ROOT


def _attributes() -> dict[str, object]:
    """Return every attribute of the product's modules and classes."""
    found: dict[str, object] = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "sampai":
            for attribute, value in list(vars(module).items()):
                found[f"{name}.{attribute}"] = value
                if isinstance(value, type) and value.__module__ == name:
                    found |= {f"{name}.{attribute}.{member}": thing for member, thing in vars(value).items()}
    return found


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=lambda defect: defect.title)
def test_defect_changes_the_product_and_is_removed_again(defect: Defect) -> None:
    before = _attributes()

    with planted(defect):
        changed = {name for name, value in _attributes().items() if before.get(name) is not value}

    after = _attributes()
    assert changed != set()
    assert [name for name, value in before.items() if after[name] is not value] == []


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=lambda defect: defect.title)
def test_defect_names_tests_or_a_scenario(defect: Defect) -> None:
    assert defect.tests or defect.scenario
    assert [file for file in defect.test_files() if not (ROOT / file).exists()] == []
    assert defect.scenario is None or defect.scenario in SCENARIOS
    assert (defect.scenario is None) is (defect.promise is None)


def test_attribute_that_the_product_has_no_more_is_an_error() -> None:
    import sampai.domain.status

    with pytest.raises(AttributeError):
        Planter().replace(sampai.domain.status, "no_such_function", lambda original: original)
