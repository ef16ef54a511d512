"""The AsyncAPI and OpenAPI documents are valid and complete."""

import json
import warnings
from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from docs.apis import asyncapi, openapi
from docs.generate import REFERENCE
from sampai.providers.registry import PROVIDERS, load

with warnings.catch_warnings():
    # Two of its fields are named `schema`, which pydantic warns about.
    warnings.simplefilter("ignore", UserWarning)
    from asyncapi3 import AsyncAPI3

ASYNCAPI = json.loads((REFERENCE / "asyncapi.json").read_text())
OPENAPI = json.loads((REFERENCE / "openapi.json").read_text())


def test_documents_are_the_generated_ones() -> None:
    assert (asyncapi(), openapi()) == (ASYNCAPI, OPENAPI)


# --- OpenAPI ----------------------------------------------------------------------------------------------------------


def test_openapi_document_is_valid() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(OPENAPI).iter_errors()] == []


def test_openapi_document_has_every_kind_of_webhook_and_nothing_else() -> None:
    kinds = {
        f"/webhooks/{name}/{kind}/{{token}}"
        for name in PROVIDERS
        for api in load(name)
        for kind in api.capabilities.webhooks
    }

    assert OPENAPI["paths"].keys() == kinds
    assert all(path.keys() == {"parameters", "get", "post"} for path in OPENAPI["paths"].values())


# --- AsyncAPI ---------------------------------------------------------------------------------------------------------


def changed(*path: str, to: Any) -> Any:
    """Return the AsyncAPI document with another value at a path."""
    document = deepcopy(ASYNCAPI)
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to
    return document


def test_asyncapi_document_is_valid() -> None:
    AsyncAPI3.model_validate(ASYNCAPI)


@pytest.mark.parametrize(
    "document",
    [
        changed("chanels", to={}),
        changed("info", "title", to=None),
        changed("operations", "publishEvents", "action", to="publish"),
        changed("channels", "eventBus", "mesages", to={}),
    ],
    ids=["an unknown field", "no title", "an unknown action", "an unknown field of a channel"],
)
def test_validator_of_the_asyncapi_document_refuses_mistakes(document: Any) -> None:
    with pytest.raises(ValidationError):
        AsyncAPI3.model_validate(document)


def references(node: Any) -> list[str]:
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    own = [node["$ref"]] if isinstance(node, dict) and "$ref" in node else []
    return own + [reference for child in inner for reference in references(child)]


def retrieve(uri: str) -> Resource[Any]:
    return DRAFT202012.create_resource(json.loads((REFERENCE / uri).read_text()))


REGISTRY: Registry[Any] = Registry(retrieve=retrieve)  # type: ignore[call-arg]


@pytest.mark.parametrize("document", ["asyncapi.json", "openapi.json"])
def test_every_reference_leads_to_something(document: str) -> None:
    resolver = REGISTRY.resolver(document)

    assert [
        reference for reference in references(retrieve(document).contents) if not resolver.lookup(reference).contents
    ] == []


def test_payload_of_an_event_is_its_envelope_on_the_bus() -> None:
    detail = json.loads((REFERENCE / "schemas" / "request-rejected.json").read_text())["examples"][0]
    event = {
        "version": "0",
        "id": "0f1d0a4e-0000-4000-8000-000000000002",
        "detail-type": "Request Rejected",
        "source": "sampai",
        "account": "111122223333",
        "time": "2026-11-21T10:00:05Z",
        "region": "ap-southeast-1",
        "resources": [],
        "detail": detail,
    }
    pointer = {"$ref": "asyncapi.json#/components/messages/request-rejected/payload"}
    payload = Draft202012Validator(pointer, registry=REGISTRY)

    assert payload.is_valid(event)
    assert not payload.is_valid(event | {"source": "shop"})
    assert not payload.is_valid(event | {"detail": detail | {"reason": "bad_luck"}})
