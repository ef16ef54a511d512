"""The segments of a text."""

import pytest

from sampai.domain.segments import Encoding, Segments, segments_of

CASES = [
    ("", Encoding.GSM7, 1),
    ("a" * 160, Encoding.GSM7, 1),
    ("a" * 161, Encoding.GSM7, 2),
    ("a" * 306, Encoding.GSM7, 2),
    ("a" * 307, Encoding.GSM7, 3),
    ("€" * 80, Encoding.GSM7, 1),
    ("€" * 81, Encoding.GSM7, 2),
    ("a" * 152 + "€" + "a" * 153, Encoding.GSM7, 3),
    ("ក" * 70, Encoding.UCS2, 1),
    ("ក" * 71, Encoding.UCS2, 2),
    ("ক" * 134, Encoding.UCS2, 2),
    ("ক" * 135, Encoding.UCS2, 3),
    ("မ", Encoding.UCS2, 1),
    ("😀" * 35, Encoding.UCS2, 1),
    ("😀" * 36, Encoding.UCS2, 2),
    ("😀" * 67, Encoding.UCS2, 3),
    ("a" * 159 + "ក", Encoding.UCS2, 3),
]


@pytest.mark.parametrize(("text", "encoding", "count"), CASES)
def test_segments_contain_whole_characters(text: str, encoding: Encoding, count: int) -> None:
    assert segments_of(text) == Segments(encoding, count)
