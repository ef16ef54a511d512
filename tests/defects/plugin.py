"""A pytest plugin that plants one defect for a whole run: `DEFECT=title pytest -p tests.defects.plugin`."""

import os

from tests.defects.catalogue import DEFECTS
from tests.defects.planting import Planter


def pytest_configure() -> None:
    """Plant before any test is collected, so that the tests import the faulty functions."""
    DEFECTS[os.environ["DEFECT"]].plant(Planter())
