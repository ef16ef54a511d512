"""The template as data, with intrinsic functions unchanged: `{"Ref": …}`."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


class _Loader(yaml.SafeLoader):
    pass


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)


@cache
def template(name: str = "template.yaml") -> dict[str, Any]:
    """Return a template by its path in the tree."""
    document: dict[str, Any] = yaml.load((ROOT / name).read_text(), _Loader)  # noqa: S506 - a SafeLoader
    return document


def default(value: Any) -> Any:
    """Return what a value of the template is by default: a parameter's default, else the value itself."""
    if isinstance(value, dict) and value.get("Ref") in template()["Parameters"]:
        return str(template()["Parameters"][value["Ref"]]["Default"])
    return value


def table(logical_id: str) -> dict[str, Any]:
    """Return the arguments of `create_table` for a table of the template."""
    properties = template()["Resources"][logical_id]["Properties"]
    wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode", "StreamSpecification")
    table = {name: properties[name] for name in wanted if name in properties}
    if "StreamSpecification" in table:
        table["StreamSpecification"] = {"StreamEnabled": True, **table["StreamSpecification"]}
    return table
