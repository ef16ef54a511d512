"""The package of the tool has the version of the product, and names every package that it imports."""

import ast
import os
import subprocess
import sys
import tomllib

from tests.template import ROOT

PROJECT = tomllib.loads((ROOT / "cli" / "pyproject.toml").read_text())["project"]
OWN = {"sampai", "sampai_cli", "sampai_client"}
WITH_OTHERS = {
    "botocore": "boto3",
    "urllib3": "boto3",
    "pydantic_core": "pydantic",
    "jinja2": "flask",
    "werkzeug": "flask",
}
"""Packages that come with another one."""


def test_the_version_is_that_of_the_product() -> None:
    product = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert (PROJECT["version"], PROJECT["requires-python"]) == (product["version"], product["requires-python"])


def test_the_templates_and_styles_of_the_console_are_installed() -> None:
    pyproject = tomllib.loads((ROOT / "cli" / "pyproject.toml").read_text())
    patterns = pyproject["tool"]["setuptools"]["package-data"]["sampai_cli.console"]
    folder = ROOT / "cli" / "sampai_cli" / "console"
    files = {file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts}

    assert {file for pattern in patterns for file in folder.glob(pattern)} == files - set(folder.glob("*.py"))


def packages_of(folder: str) -> set[str]:
    """Return the third-party packages that the modules in a folder import."""
    trees = [ast.parse(file.read_text()) for file in (ROOT / folder).rglob("*.py")]
    imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {node.module or "" for node in imports if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    packages = {WITH_OTHERS.get(top, top) for name in names if (top := name.partition(".")[0])}
    return packages - sys.stdlib_module_names - OWN


def test_the_tool_and_the_client_need_no_other_package_than_those_that_they_require() -> None:
    required = {requirement.partition(">")[0] for requirement in PROJECT["dependencies"]}
    others = packages_of("layers/sampai") - required
    probe = f"import sys; sys.modules |= dict.fromkeys({sorted(others)}); import sampai_cli.app, sampai_client"

    assert packages_of("cli") <= required
    assert others == {"aws_lambda_powertools", "requests"}
    path = os.pathsep.join([str(ROOT / "layers" / "sampai"), str(ROOT / "cli")])
    subprocess.run([sys.executable, "-c", probe], env={"PYTHONPATH": path}, check=True)
