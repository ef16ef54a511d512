"""The list of defects fits the present source: each can be planted, and what comes of it is Python."""

import ast

import pytest

from tests.mutants.defects import DEFECTS, LAYER, Defect, Edit
from tests.template import ROOT


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.title)
def test_a_defect_can_be_planted(defect: Defect) -> None:
    sources = {edit.file: (ROOT / edit.file).read_text() for edit in defect.edits}
    for edit in defect.edits:
        sources[edit.file] = edit.apply(sources[edit.file])

    for file, source in sources.items():
        assert ast.dump(ast.parse(source)) != ast.dump(ast.parse((ROOT / file).read_text()))
    assert [file for file in defect.likely if not (ROOT / file).exists()] == []


def test_titles_are_different() -> None:
    assert len({defect.title for defect in DEFECTS}) == len(DEFECTS)


@pytest.mark.parametrize("source", ["", "a = 1\na = 1\n"])
def test_a_text_that_is_missing_or_there_twice_is_an_error(source: str) -> None:
    edit = Edit(file=LAYER / "any.py", old="a = 1", new="a = 2")

    with pytest.raises(ValueError, match="the old text is there"):
        edit.apply(source)
