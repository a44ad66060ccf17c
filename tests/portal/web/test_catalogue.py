"""The English catalogue is complete, current, and keeps every placeholder of the Vietnamese sentence."""

import re

import polib

PLACEHOLDER = re.compile(r"%\(\w+\)s")
TEXTS = re.compile(r"""{%\s*translate\s+(?:"([^"]+)"|'([^']+)')""")


def catalogue(checkout):
    return polib.pofile(checkout / "portal/locale/en/LC_MESSAGES/django.po")


def test_every_sentence_is_translated_with_its_placeholders(checkout):
    for entry in catalogue(checkout):
        assert entry.msgstr, entry.msgid
        assert "fuzzy" not in entry.flags, entry.msgid
        assert sorted(PLACEHOLDER.findall(entry.msgid)) == sorted(PLACEHOLDER.findall(entry.msgstr)), entry.msgid


def test_the_compiled_catalogue_is_the_source(checkout):
    compiled = polib.mofile(checkout / "portal/locale/en/LC_MESSAGES/django.mo")
    assert {e.msgid: e.msgstr for e in compiled} == {e.msgid: e.msgstr for e in catalogue(checkout)}


def test_the_catalogue_knows_every_sentence_of_the_templates(checkout):
    known = {entry.msgid for entry in catalogue(checkout)}
    for template in (checkout / "templates").rglob("*.html"):
        for double, single in TEXTS.findall(template.read_text("utf-8")):
            assert (double or single) in known, f"{template.name}: {double or single}"
