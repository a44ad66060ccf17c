"""A policy file that is not meant as it stands: refused by name, never a traceback and never a looser rule."""

from __future__ import annotations

import tomllib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from signing.command import main
from signing.errors import PolicyUnreadable
from signing.policy import policy_from_mapping

SLOT = {"role": "A", "place": "B/Signature", "covers": "C"}


def code_of(text: str = "", **slot: object) -> str:
    try:
        policy_from_mapping({"name": "a", "slots": [{**SLOT, **slot}], **tomllib.loads(text)})
    except PolicyUnreadable as error:
        return error.code
    return "OK"


def test_a_plain_policy_is_read():
    assert code_of() == "OK"
    assert code_of("max_future_minutes = 5.5\nxades = false\n[algorithms]\nmin_rsa_bits = 3072") == "OK"
    assert code_of(covers="HỌC_BẠ/C", repeated=True, pair_on="D/E.f/@Id") == "OK"


@pytest.mark.parametrize("number", ["inf", "nan", "-inf", "1e300", "1e15", "999999999999", "-1", "true", "'5'"])
def test_numbers_are_numbers_that_dates_can_bear(number):
    assert code_of(f"max_future_minutes = {number}") == "POLICY_VALUE"
    assert code_of(f"order_tolerance_minutes = {number}") == "POLICY_VALUE"
    assert code_of(f"[algorithms]\nmin_rsa_bits = {number}") == "POLICY_VALUE"


@pytest.mark.parametrize("value", ["'false'", "0", "'no'", "[]"])
def test_a_word_is_no_switch(value):
    assert code_of(f"xades = {value}") == "POLICY_VALUE"
    assert code_of(required=tomllib.loads(f"a = {value}")["a"]) == "POLICY_VALUE"


@pytest.mark.parametrize(
    "place",
    ["*/Signature", "../Signature", "//Signature", "{a}b/Signature", "./Signature", "a b/Signature", "Signature/"],
)
def test_a_step_names_one_kind_of_element(place):
    assert code_of(place=place) == "POLICY_PLACE"
    assert code_of(covers=place.replace("Signature", "C")) == "POLICY_PLACE"


@pytest.mark.parametrize("pair_on", ["@", "A/@", "/@Id", "A@Id", "*/@Id", "A/@Id/@Id", "Id"])
def test_a_pair_is_named_by_an_attribute(pair_on):
    assert code_of(repeated=True, pair_on=pair_on) == "POLICY_PAIR"


def test_a_policy_nested_without_end_is_named(cast, tmp_path, capsys):
    (tmp_path / "policy.toml").write_text("a = " + "[" * 5000)
    (tmp_path / "a.pem").write_bytes(cast.pki.root.identity.certificate.public_bytes(Encoding.PEM))
    assert main(["verify", "a.xml", "--trust", str(tmp_path), "--policy", str(tmp_path / "policy.toml")]) == 2
    assert "policy.toml" in capsys.readouterr().err
