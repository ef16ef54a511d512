"""The English of the tree is plain: within the budget of `tests.prose`, and without its banned words."""

from pathlib import Path

import pytest

from tests.prose import (
    BUDGET,
    GROUPS,
    Finding,
    configuration_prose,
    describe,
    file_prose,
    group_files,
    markdown_prose,
    measure,
    python_prose,
    total,
)

ROOT = Path(__file__).parents[2]

OLD_SENTENCES = (
    "STOP and START are heeded",
    "a vendor that does not answer is left alone until one message finds it mended",
    "Where nobody can know whether a vendor took it, the message says so and is looked for",
    "Who loses reads what stands there and decides again",
    "A fault that was found gets a test that fails without the mend",
    "Return the failed message that a new one becomes of which there are too many",
    "Count one more, unless there are as many as may be",
    "Find the message by our own reference, if the vendor's id is not that of an attempt without a say",
    "Take nothing for a lost message that another is just being sent as",
)
NEW_SENTENCES = (
    "STOP and START keywords are honoured",
    "a circuit breaker stops calls to a vendor that does not respond; one probe per minute checks for recovery",
    "If the outcome is ambiguous, the message becomes `unknown` and is reconciled with the vendor",
    "The losing writer re-reads the item and retries its decision",
    "Every bug fix needs a regression test",
    "Fail a new message that exceeds a quota",
    "Increment the counter if it is below the limit",
    "Find the message by our reference, unless the vendor id belongs to a superseded attempt",
    "Do not reconcile an unknown send with a send still in flight",
)


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_of_files_keeps_the_budget_and_has_no_banned_word(group: str) -> None:
    measures = {file.relative_to(ROOT): measure(file_prose(file)) for file in group_files(ROOT, group)}

    found = total(measures.values())

    worst = sorted(measures, key=lambda file: (len(measures[file].banned), len(measures[file].counted)), reverse=True)
    listing = "\n".join(describe(file, measures[file]) for file in worst[:10])
    assert found.is_plain, (
        f"{group}: {found.rate:.1f} per 1,000 words ({BUDGET} allowed), {len(found.banned)} banned; worst:\n{listing}"
    )


@pytest.mark.parametrize("group", GROUPS)
def test_no_group_is_empty(group: str) -> None:
    assert group_files(ROOT, group)


@pytest.mark.parametrize("sentence", OLD_SENTENCES)
def test_an_old_sentence_is_found_in_a_page_and_in_a_docstring_and_in_a_comment(sentence: str) -> None:
    assert not measure(markdown_prose(f"# Title\n\n{sentence}.\n")).is_plain
    assert not measure(python_prose(f'def read():\n    """{sentence}."""\n')).is_plain
    assert not measure(python_prose(f"value = 1  # {sentence}\n")).is_plain


def test_an_old_sentence_in_the_name_of_a_test_is_found() -> None:
    old = "def test_a_directory_that_is_down_is_nobody_who_knows_nothing(): ...\n"
    new = "def test_directory_outage_raises_instead_of_returning_no_facts(): ...\n"

    assert measure(python_prose(old)).counted == (Finding(1, "who"),)
    assert measure(python_prose(new)).is_plain


@pytest.mark.parametrize("sentence", NEW_SENTENCES)
def test_a_new_sentence_passes(sentence: str) -> None:
    assert measure(markdown_prose(sentence)).is_plain


def test_the_budget_is_three_counted_words_per_thousand() -> None:
    three = "word " * 997 + "what who whose"
    four = "word " * 996 + "what who whose whom"

    assert measure(markdown_prose(three)).is_plain
    assert not measure(markdown_prose(four)).is_plain


def test_code_and_addresses_of_a_page_are_no_prose_and_lines_stay_right() -> None:
    page = """# Title

```python
who = "anew"
```

See `what` and [the page](what-is-it.md) at https://example.com/who.

A phrase over two
lines: the table of
which nothing is left, and what else.
"""
    found = measure(markdown_prose(page))

    assert found.banned == (Finding(10, "of which"),)
    assert found.counted == (Finding(11, "what"),)


def test_a_string_that_is_no_docstring_is_no_prose_and_a_comment_over_two_lines_is_one_passage() -> None:
    module = '''"""Say who."""

TEXT = "what"
FLAG = True
"""Tell
what it is for."""
# Read the rows of
# which one fits.
X = 1  # noqa: who
'''
    found = measure(python_prose(module))

    assert found.counted == (Finding(1, "who"), Finding(6, "what"))
    assert found.banned == (Finding(7, "of which"),)


def test_comments_help_and_descriptions_of_configuration_files_are_prose() -> None:
    makefile = "# Say who.\ntest: ## run what must pass\n\t@echo who  # anew\n"
    template = "Description: Knows whether each arrived, lest it fails\nResources: {Who: what}\n"

    found = measure(configuration_prose(makefile))
    assert found.counted == (Finding(1, "who"), Finding(2, "what"))
    assert found.banned == (Finding(3, "anew"),)
    assert measure(configuration_prose(template)).banned == (Finding(1, "lest"),)
