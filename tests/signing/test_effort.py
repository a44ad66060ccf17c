"""Small files that would keep a processor busy, and limits of the parser that are no fault of syntax."""

from __future__ import annotations

import time

import pytest

import signing
from signing.errors import MalformedDocument
from signing.xml import LIST_LIMITS, parse


def declared(count: int, start: int = 0) -> str:
    return "".join(f' xmlns:a{number}="urn:{number}"' for number in range(start, start + count))


def code_of(data: str) -> str:
    with pytest.raises(MalformedDocument) as refused:
        parse(data.encode(), limits=LIST_LIMITS)
    return refused.value.code


@pytest.mark.parametrize(
    "data",
    [
        f"<A{declared(33)}/>",
        f"<A{declared(17)}><B{declared(17, 17)}/></A>",
        "<A>" + "".join(f'<B xmlns:a{depth % 9}="urn:{depth}">' for depth in range(40)) + "</B>" * 40 + "</A>",
        "<A" + "".join(f' xmlns:{"a" * 400}{number}="urn:{number}"' for number in range(33)) + "/>",
    ],
)
def test_an_element_has_few_namespaces_in_scope(data):
    assert code_of(data) == "TOO_MANY_NAMESPACES"


@pytest.mark.parametrize("data", [f"<A{declared(32)}/>", "<A>" + f"<B{declared(3)}/>" * 500 + "</A>"])
def test_many_declarations_beside_each_other_are_let_in(data):
    assert parse(data.encode(), limits=LIST_LIMITS).root.tag == "A"


@pytest.mark.parametrize("prefix", ["p", "p" * 400])
def test_a_relative_name_is_found_wherever_it_hides(prefix):
    assert code_of(f"""<A b="xmlns:c='" xmlns:{prefix}="relative" d="'"/>""") == "NAMESPACE_RELATIVE"
    assert code_of(f'<A xmlns:{prefix}="relative"/>') == "NAMESPACE_RELATIVE"


def test_an_element_has_few_attributes():
    assert code_of("<A " + " ".join(f'a{number}=">"' for number in range(129)) + "/>") == "TOO_MANY_ATTRIBUTES"
    assert parse(("<A " + " ".join(f'a{number}=">"' for number in range(128)) + "/>").encode()).root.tag == "A"
    assert parse(("<A>" + "=" * 5000 + "</A>").encode()).root.tag == "A"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("<A>" * 300 + "</A>" * 300, "TOO_DEEP"),
        ("<A>" + "x" * 10_100_000 + "</A>", "TEXT_TOO_LONG"),
        ("<A b='" + "x" * 10_100_000 + "'/>", "TEXT_TOO_LONG"),
        ("<A><![CDATA[" + "x" * 10_100_000 + "]]></A>", "TEXT_TOO_LONG"),
        ("<A " + "x" * 60_000 + "='1'/>", "NAME_TOO_LONG"),
        ("<A>" * 300 + "<B", "TOO_DEEP"),
        ("<A><B></A>", "NOT_WELL_FORMED"),
    ],
)
def test_a_limit_of_the_parser_is_not_called_broken_syntax(data, code):
    assert code_of(data) == code


def test_a_small_record_full_of_declarations_costs_nothing(cast):
    record = cast.record(0).decode()
    start = record.index("<DU_LIEU_HOC_BA") + len("<DU_LIEU_HOC_BA")
    filled = record[:start] + declared(800) + record[start:]
    filled = filled.replace("</DU_LIEU_HOC_BA>", "<a/>" * 4000 + "</DU_LIEU_HOC_BA>")
    begun = time.perf_counter()
    report = signing.verify(filled.encode(), cast.primary, cast.trust, at=cast.now)
    assert (report.passed, report.code) == (False, "TOO_MANY_NAMESPACES")
    assert time.perf_counter() - begun < 1
