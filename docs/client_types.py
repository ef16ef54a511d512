"""Types for TypeScript and Java, generated from the JSON Schemas. The names are those of the documents."""

import json
from collections.abc import Iterator, Mapping, Sequence
from textwrap import indent
from typing import Final

from docs.schemas import Schema, schemas_by_name, version

_NOTICE: Final = "Written by `python -m docs.generate` from the JSON Schemas, version {}. Do not edit."
_TYPESCRIPT: Final = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_JAVA: Final = {"string": "String", "integer": "Long", "number": "Double", "boolean": "Boolean"}


def typescript() -> str:
    """Return the module of TypeScript types."""
    notice = f"// {_NOTICE.format(version())}\n"
    return "\n".join([notice, *(_typescript(name, schema) for name, schema in _named_schemas().items())])


def java() -> str:
    """Return the Java class whose members are the records and enumerations.

    Components have the names of the fields and constants those of the words, so that a JSON library needs no
    annotations. It must leave out nulls in requests, and unknown fields of events.
    """
    schemas = _named_schemas()
    unions = _unions(schemas)
    types = [_java(name, schema, unions) for name, schema in schemas.items()]
    members = [indent(text, "    ") for text in [*types, *(_java_union(*union) for union in unions.items())]]
    head = f"// {_NOTICE.format(version())}\npackage sampai;\n\nimport java.util.List;\nimport java.util.Map;\n"
    return f"{head}\npublic final class Sampai {{\n    private Sampai() {{}}\n\n" + "\n".join(members) + "}\n"


def _named_schemas() -> dict[str, Schema]:
    """Return the schemas of all types by name: those of the documents and those within them."""
    named: dict[str, Schema] = {}
    for name, schema in schemas_by_name().items():
        if name != "settings":  # the document of an operator, not of a program
            named |= {**schema.get("$defs", {}), schema["title"]: schema}
    return dict(sorted(named.items()))


def _properties(schema: Schema) -> Iterator[tuple[str, Schema, bool]]:
    """Yield the fields of an object: name, schema, and whether it must be given."""
    for name, rule in schema["properties"].items():
        yield name, rule, name in schema.get("required", ())


def _alternatives(rule: Schema) -> list[Schema]:
    return list(rule.get("anyOf") or rule.get("oneOf") or [])


def _comment(schema: Schema) -> str:
    return f"/** {schema['description']} */\n" if "description" in schema else ""


# --- TypeScript -----------------------------------------------------------------------------------------------------


def _typescript(name: str, schema: Schema) -> str:
    if "properties" not in schema:
        return f"{_comment(schema)}export type {name} = {_typescript_type(schema)};\n"
    fields = [
        f"{_comment(rule)}{field}{'' if is_required else '?'}: {_typescript_type(rule)};"
        for field, rule, is_required in _properties(schema)
    ]
    return f"{_comment(schema)}export interface {name} {{\n" + indent("\n".join(fields), "  ") + "\n}\n"


def _typescript_type(rule: Schema) -> str:
    if "$ref" in rule:
        return _name(rule)
    if words := rule.get("enum", [rule["const"]] if "const" in rule else None):
        return " | ".join(map(json.dumps, words))
    if choices := _alternatives(rule):
        return " | ".join(dict.fromkeys(map(_typescript_type, choices)))
    if rule.get("type") == "array":
        return f"Array<{_typescript_type(rule.get('items', {}))}>"
    if rule.get("type") == "object":
        return f"Record<string, {_typescript_type(_entries(rule))}>"
    return _TYPESCRIPT.get(rule.get("type", ""), "unknown")


# --- Java -----------------------------------------------------------------------------------------------------------


def _unions(schemas: Mapping[str, Schema]) -> dict[str, list[str]]:
    """Return the members of each union of objects, by the title of its field."""
    rules = [rule for schema in schemas.values() for rule in schema.get("properties", {}).values()]
    return {rule["title"]: list(map(_name, _alternatives(rule))) for rule in rules if _is_union(rule)}


def _is_union(rule: Schema) -> bool:
    choices = _alternatives(rule)
    return len(choices) > 1 and all("$ref" in choice for choice in choices)


def _java_union(name: str, members: Sequence[str]) -> str:
    return f"public sealed interface {name} permits {', '.join(members)} {{}}\n"


def _java(name: str, schema: Schema, unions: Mapping[str, Sequence[str]]) -> str:
    if "enum" in schema:
        return f"{_comment(schema)}public enum {name} {{ {', '.join(schema['enum'])} }}\n"
    fields = ",\n".join(f"{_comment(rule)}{_java_type(rule)} {field}" for field, rule, _ in _properties(schema))
    union = "".join(f" implements {union}" for union, members in unions.items() if name in members)
    head = f"{_comment(schema)}public record {name}(\n{indent(fields, '    ')}){union} {{"
    return f"{head}{_constructor(name, schema)}}}\n"


def _constructor(name: str, schema: Schema) -> str:
    """Return the constructor without the fields that have one value only, if there are such fields."""
    constants = {field: json.dumps(rule["const"]) for field, rule, _ in _properties(schema) if "const" in rule}
    if not constants:
        return ""
    given = [f"{_java_type(rule)} {field}" for field, rule, _ in _properties(schema) if field not in constants]
    all_fields = [constants.get(field, field) for field, _, _ in _properties(schema)]
    return f"\n    public {name}({', '.join(given)}) {{ this({', '.join(all_fields)}); }}\n"


def _java_type(rule: Schema) -> str:
    choices = [choice for choice in _alternatives(rule) if choice.get("type") != "null"]
    if _is_union(rule):
        return str(rule["title"])
    if len(choices) == 1:
        return _java_type(choices[0])
    if "$ref" in rule:
        return _name(rule)
    if rule.get("type") == "array":
        return f"List<{_java_type(rule.get('items', {}))}>"
    if rule.get("type") == "object":
        return f"Map<String, {_java_type(_entries(rule))}>"
    return _JAVA.get(rule.get("type", ""), "Object")


def _name(rule: Schema) -> str:
    name: str = rule["$ref"].rpartition("/")[2]
    return name


def _entries(rule: Schema) -> Schema:
    entries = rule.get("additionalProperties", {})
    return entries if isinstance(entries, dict) else {}
