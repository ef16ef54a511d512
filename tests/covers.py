"""Which rows of the failure model a test holds.

`docs/explanation/failure-model.md` lists every row by its id. A test names those that it would see broken; that every
row is named is tested in `tests/contract/test_failure_model.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])


def covers(*ids: str) -> Callable[[Test], Test]:
    """Name the rows of which the test would see the breach. Their ids stand as literals: they are read, not run."""

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
        f"{_CONTRACT}_garbage_that_is_no_refusal_leaves_the_outcome_unknown",
        f"{_CONTRACT}_429_is_not_taken_and_may_be_tried_again_when_the_vendor_says",
    ],
    "V4": [
        f"{_CONTRACT}_garbage_that_is_no_refusal_leaves_the_outcome_unknown",
        f"{_CONTRACT}_garbage_under_a_refusal_is_never_taken",
    ],
    "V10": [f"{_CONTRACT}_a_bare_401_is_about_the_account_and_not_the_message"],
    "W8": [
        f"{_CONTRACT}_a_malformed_webhook_is_refused",
        f"{_CONTRACT}_garbage_is_a_malformed_webhook_of_every_kind",
        f"{_CONTRACT}_a_webhook_that_contradicts_itself_is_refused",
    ],
    "W9": [f"{_CONTRACT}_a_word_that_nobody_documented_is_read_and_moves_nothing"],
}
"""Tests that do not carry the mark themselves, by the row that they would see broken.

The contract of the providers is run in a tree of its own, without this file.
"""
