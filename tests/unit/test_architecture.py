"""The application: imports point one way, and a vendor has one home."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.simulators.registry import VENDORS
from sampai.providers.registry import PROVIDERS

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "sampai" / "sampai"

MAY_IMPORT = {
    "domain": {"domain"},
    "providers": {"domain", "providers"},
    "contract": {"domain", "providers", "contract"},
    "services": {"domain", "providers", "contract", "services"},
    "adapters": {"domain", "providers", "contract", "services", "adapters"},
    "environment": set(),
    "bootstrap": {"domain", "providers", "contract", "services", "adapters", "environment"},
}
PORTS_ONLY = "sampai.services.ports"
PURE = {"domain", "providers", "contract", "services"}
IMPURE = {
    "boto3",
    "botocore",
    "requests",
    "urllib3",
    "socket",
    "os",
    "time",
    "random",
    "uuid",
    "logging",
    "aws_lambda_powertools",
}


def _imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


FILES = sorted(LAYER.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=[str(f.relative_to(LAYER)) for f in FILES])
def test_imports_point_inward(file: Path) -> None:
    package = file.relative_to(LAYER).parts[0].removesuffix(".py")
    if package == "__init__":
        return
    ours = {name for name in _imports(file) if name.startswith("sampai.")}

    assert {name.split(".")[1] for name in ours} <= MAY_IMPORT[package]
    if package == "adapters":
        assert all(name.startswith(PORTS_ONLY) for name in ours if name.startswith("sampai.services"))


@pytest.mark.parametrize("file", FILES, ids=[str(f.relative_to(LAYER)) for f in FILES])
def test_only_adapters_and_bootstrap_touch_the_world(file: Path) -> None:
    if file.relative_to(LAYER).parts[0] not in PURE:
        return

    assert not {name.split(".")[0] for name in _imports(file)} & IMPURE
    assert not re.search(r"datetime\.now|utcnow|\btime\.time\b", file.read_text())


DOORS = sorted((ROOT / "functions").rglob("*.py"))


@pytest.mark.parametrize("file", [*FILES, *DOORS], ids=[str(f.relative_to(ROOT)) for f in [*FILES, *DOORS]])
def test_only_the_environment_module_reads_the_environment(file: Path) -> None:
    source = file.read_text()
    reads = "os" in _imports(file) or re.search(r"\b(environ|getenv)\b", source) is not None

    assert reads is (file == LAYER / "environment.py")


@pytest.mark.parametrize("file", FILES, ids=[str(f.relative_to(LAYER)) for f in FILES])
def test_every_dataclass_has_a_docstring(file: Path) -> None:
    """Without a docstring, each start of a function would derive one from the signature of the class."""
    classes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ClassDef)]
    dataclasses = [node for node in classes if any("dataclass" in ast.unparse(each) for each in node.decorator_list)]

    assert [node.name for node in dataclasses if ast.get_docstring(node) is None] == []


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_vendor_is_named_in_its_own_files_and_the_registry_alone(name: str) -> None:
    providers = LAYER / "providers"
    homes = {providers / f"{name}.py", providers / "registry.py", *(providers / name).rglob("*.py")}
    sources = {*LAYER.rglob("*.py"), *(ROOT / "functions").rglob("*.py"), ROOT / "template.yaml"}

    assert {file for file in sources if name in file.read_text().lower()} <= homes


def test_no_code_names_a_provider_that_is_only_configured() -> None:
    further = VENDORS.keys() - PROVIDERS.keys()
    sources = {*LAYER.rglob("*.py"), *(ROOT / "functions").rglob("*.py"), ROOT / "template.yaml"}

    assert further == {"philsms"}
    assert [file for file in sources for name in further if name in file.read_text().lower()] == []


def test_the_callback_function_imports_no_pydantic() -> None:
    probe = (
        "import sys; sys.path[:0] = ['layers/sampai', 'functions/callback']; import app\n"
        "from sampai.adapters import callback_progress, transport; print(*sys.modules)"
    )

    loaded = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "pydantic" not in loaded.split()


@pytest.mark.parametrize("function", ["webhook", "publish"])
def test_a_function_that_validates_nothing_imports_neither_pydantic_nor_requests(function: str) -> None:
    probe = f"import sys; sys.path[:0] = ['layers/sampai', 'functions/{function}']; import app; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert not {"pydantic", "requests"} & set(loaded.split())
