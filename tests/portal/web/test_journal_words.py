"""Every act that the code writes into the journal has a name for people."""

import re
from typing import get_args

from gateway import notices
from portal.web.read.journal import ACTIONS

WRITTEN = re.compile(r"""(?:\baction=|_journal\w*\(\s*|_given\(\s*\w+,\s*)"([a-z_]+\.[a-z_]+)\"""")
COMPOSED = re.compile(r"""action=f"([a-z_]+)\.\{(\w+)\[""")


def test_every_action_written_by_the_code_has_a_vietnamese_name(checkout):
    found = set()
    for room in ("portal", "gateway"):
        for file in (checkout / room).rglob("*.py"):
            text = file.read_text("utf-8")
            found |= set(WRITTEN.findall(text))
            for kind, table in COMPOSED.findall(text):
                values = re.search(rf"^{table} = \{{(.*?)\}}", text, re.MULTILINE | re.DOTALL)[1]
                found |= {f"{kind}.{word}" for word in re.findall(r':\s*"([a-z_]+)"', values)}
    found |= {f"line.{event.lower()}" for event in get_args(notices.Event)}
    assert {"sealing.released", "trust.loaded", "account.closed", "submission.held", "line.missed"} <= found
    assert found - set(ACTIONS) == set()
