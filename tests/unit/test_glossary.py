"""The glossary: docs/glossary.md has the terms of the catalog, in its words, and each stands for itself."""

from __future__ import annotations

import re

import pytest

from stitchlab.catalog.glossary import TERMS, meaning
from stitchlab.catalog.indices import DEFAULT_INDICES, INDICES
from stitchlab.errors import UnknownName
from unit.test_imports import HOUSE

PAGE = (HOUSE / "docs" / "glossary.md").read_text()


def test_the_page_lists_every_term_with_its_meaning_in_order() -> None:
    assert re.findall(r"^\* \*\*(.+?)\*\*: (.+)$", PAGE, re.MULTILINE) == list(TERMS.items())


def test_every_meaning_is_a_few_sentences_of_plain_text() -> None:
    for term, text in TERMS.items():
        assert re.search(r"[^.]\.$", text), term
        assert len(text) <= 300, term
        assert not re.search(r"[`*<>\n]", text), f"{term}: markup"


def test_no_meaning_stands_twice() -> None:
    assert len(TERMS) >= 35
    assert len(set(TERMS.values())) == len(TERMS)
    assert len({term.lower() for term in TERMS}) == len(TERMS)


def test_catalogs_tell_their_own_entries() -> None:
    for name in DEFAULT_INDICES:
        index = INDICES[name]
        assert any(index.meaning[1:] in text for text in TERMS.values()), name
    assert meaning("stitching penalty").startswith("The end network's own accuracy minus")


def test_a_term_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownName, match=r"no term of the glossary is called 'stich'; nearest: stitch"):
        meaning("stich")
