"""The package of the tool has the version of the product, and names every package that it imports."""

import ast
import sys
import tomllib

import pytest

from tests.template import ROOT

PROJECT = tomllib.loads((ROOT / "cli" / "pyproject.toml").read_text())["project"]
OWN = {"sampai", "sampai_cli", "sampai_client"}
WITH_OTHERS = {"botocore": "boto3", "pydantic_core": "pydantic"}
"""Packages that come with another one."""
NOT_USED = {"aws_lambda_powertools", "certifi", "requests", "urllib3"}
"""Packages that the layer needs for its functions alone. The tool imports none of the modules that need them."""


def test_the_version_is_that_of_the_product() -> None:
    product = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert (PROJECT["version"], PROJECT["requires-python"]) == (product["version"], product["requires-python"])


@pytest.mark.parametrize("folder", ["cli", "layers/sampai"])
def test_every_imported_package_is_required(folder: str) -> None:
    trees = [ast.parse(file.read_text()) for file in (ROOT / folder).rglob("*.py")]
    imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {node.module or "" for node in imports if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    packages = {WITH_OTHERS.get(top, top) for name in names if (top := name.partition(".")[0])}
    required = {requirement.partition(">")[0] for requirement in PROJECT["dependencies"]}

    missing = packages - sys.stdlib_module_names - OWN - required
    assert missing <= (NOT_USED if folder != "cli" else set())
