"""Marks a test with the rows of the failure model that it checks.

`docs/explanation/failure-model.md` lists every row by its id. A test names the rows that it checks;
`tests/contract/test_failure_model.py` checks that every row has a test.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])


def covers(*ids: str) -> Callable[[Test], Test]:
    """Name the rows that the test checks. The ids are literals: they are read without an import."""

    def unchanged(test: Test) -> Test:
        return test

    return unchanged


_CONTRACT: Final = "tests/conformance/test_provider_contract.py::test"
_TEMPLATE: Final = "tests/unit/test_template.py::test"
_ALLOW_LISTS: Final = "tests/unit/application/test_allow_lists.py::test"
_QUOTAS: Final = "tests/unit/application/test_quotas.py::test"

ELSEWHERE: Final[Mapping[str, Sequence[str]]] = {
    "D7": [f"{_TEMPLATE}_tables_have_their_keys_and_the_due_index_carries_nothing_else"],
    "D8": [f"{_TEMPLATE}_publish_reads_every_change_and_lets_go_of_a_bad_one_in_time"],
    "I11": [
        f"{_CONTRACT}_no_credential_text_or_number_shows_in_a_repr_or_an_error",
        f"{_TEMPLATE}_no_environment_variable_holds_a_secret",
        f"{_TEMPLATE}_the_access_log_shows_neither_path_nor_query_because_the_token_is_in_the_path",
        f"{_QUOTAS}_a_blocked_message_is_logged_with_its_limit_and_without_its_number",
    ],
    "I13": [
        f"{_ALLOW_LISTS}_a_number_outside_the_allowed_countries_fails_without_a_call",
        f"{_QUOTAS}_a_message_beyond_a_limit_of_two_is_blocked",
        f"{_QUOTAS}_two_interleaved_workers_do_not_exceed_a_limit",
    ],
    "L1": [f"{_TEMPLATE}_follow_up_ends_before_it_is_started_again"],
    "L2": [f"{_CONTRACT}_garbage_is_never_read_as_the_absence_of_a_message"],
    "Q3": [f"{_TEMPLATE}_the_dead_letter_queue_keeps_a_request_for_longer_than_its_source"],
    "Q5": [f"{_TEMPLATE}_the_send_function_takes_both_queues_and_returns_only_the_requests_that_failed"],
    "Q10": [f"{_TEMPLATE}_a_lease_outlives_the_invocation_that_took_it_by_half_a_minute_of_clock_skew"],
    "V3": [
        f"{_CONTRACT}_garbage_without_a_refusal_leaves_the_outcome_unknown",
        f"{_CONTRACT}_429_is_not_taken_and_names_the_time_of_the_next_try",
    ],
    "V4": [
        f"{_CONTRACT}_garbage_without_a_refusal_leaves_the_outcome_unknown",
        f"{_CONTRACT}_garbage_under_a_refusal_is_never_taken",
    ],
    "V10": [f"{_CONTRACT}_bare_401_concerns_the_account_and_not_the_message"],
    "W8": [
        f"{_CONTRACT}_a_malformed_webhook_is_refused",
        f"{_CONTRACT}_garbage_is_a_malformed_webhook_of_every_kind",
        f"{_CONTRACT}_a_webhook_that_contradicts_itself_is_refused",
    ],
    "W9": [f"{_CONTRACT}_undocumented_status_word_is_read_and_changes_nothing"],
}
"""Tests without a mark of their own, by row.

The contract of the providers also runs in a copy of the tree without this file.
"""
