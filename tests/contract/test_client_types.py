"""The types for TypeScript and Java have the syntax of their language, and every field and word of the schemas."""

import re

import pytest
import tree_sitter_java
import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

from docs.client_types import java, typescript
from docs.schemas import schemas_by_name
from sampai.domain.failure import Reason
from sampai.domain.status import Status

SOURCES = {"TypeScript": typescript(), "Java": java()}
LANGUAGES = {
    "TypeScript": Language(tree_sitter_typescript.language_typescript()),
    "Java": Language(tree_sitter_java.language()),
}


def syntax_errors(language: str, source: str) -> list[str]:
    """Return the pieces of a source that do not fit the grammar of its language."""

    def errors(node: Node) -> list[str]:
        own = [str(node.start_point)] if node.is_error or node.is_missing else []
        return own + [error for child in node.children for error in errors(child)]

    return errors(Parser(LANGUAGES[language]).parse(source.encode()).root_node)


@pytest.mark.parametrize("language", SOURCES)
def test_generated_types_have_the_syntax_of_their_language(language: str) -> None:
    assert syntax_errors(language, SOURCES[language]) == []


@pytest.mark.parametrize("language", SOURCES)
def test_a_syntax_error_is_found(language: str) -> None:
    assert syntax_errors(language, SOURCES[language].replace("}", "", 1)) != []


@pytest.mark.parametrize("language", SOURCES)
def test_every_field_and_word_of_the_public_documents_has_its_place(language: str) -> None:
    documents = [schema for name, schema in schemas_by_name().items() if name != "settings"]
    fields = {field for schema in documents for field in schema["properties"]}

    assert (fields | {*Status} | {*Reason}) - set(re.findall(r"\w+", SOURCES[language])) == set()


def test_a_request_in_typescript_needs_the_required_fields_only() -> None:
    request = re.search(r"export interface SendRequest \{(.*?)\n\}", SOURCES["TypeScript"], re.DOTALL)

    assert request is not None
    assert re.findall(r"^  (\w+): ", request[1], re.MULTILINE) == ["message_id", "content"]


def test_contents_in_java_have_one_type_and_set_their_kind_themselves() -> None:
    assert "sealed interface Content permits TextContent, MediaContent, TemplateContent" in SOURCES["Java"]
    assert 'public TextContent(String text) { this("text", text); }' in SOURCES["Java"]
