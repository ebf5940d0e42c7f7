"""A warning code that an identifier can raise has a meaning, or the table cannot be imported."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from airflow_provider_pinterest.conversions import identifier_rules
from airflow_provider_pinterest.conversions.declared_codes import UNKNOWN, codes_of
from airflow_provider_pinterest.conversions.field_types import LEAVE_OUT, Field, hashed
from airflow_provider_pinterest.conversions.fields import BY_PATH, FIELDS, check
from airflow_provider_pinterest.conversions.identifier_rules import IdentifierRule, UncertainCanonicalForm, always

ODD: Final = "odd_shoe"


def by_literal(text):
    if text:
        raise UncertainCanonicalForm("odd_shoe", text)
    return text


def by_constant(text):
    raise UncertainCanonicalForm(ODD, text)


def by_attribute(text):
    raise identifier_rules.UncertainCanonicalForm(ODD, text)


def nested(text):
    def inner():
        raise UncertainCanonicalForm(ODD, text)

    return inner()


def closed_over(code):
    def canonical(text):
        raise UncertainCanonicalForm(code, text)

    return canonical


def computed(text):
    raise UncertainCanonicalForm(text.lower(), text)


class Instance:
    def __call__(self, text):
        raise UncertainCanonicalForm(ODD, text)


RAISING = [by_literal, by_constant, by_attribute, nested, closed_over(ODD), Instance()]


@pytest.mark.parametrize("canonical", RAISING)
def test_the_codes_of_a_function_are_found(canonical):
    assert codes_of(canonical) == {ODD}


def test_a_computed_code_is_unknown():
    assert codes_of(computed) == {UNKNOWN}


@pytest.mark.parametrize("canonical", [str, len, str.lower, lambda text: text])
def test_other_functions_have_none(canonical):
    assert codes_of(canonical) == frozenset()


@pytest.mark.parametrize("canonical", [*RAISING, computed])
def test_a_line_without_the_meaning_of_a_code_is_refused(canonical):
    field = Field("user_data.shoe", hashed, LEAVE_OUT, rule=IdentifierRule(canonical=always(canonical)))
    with pytest.raises(ValueError, match="not in warnings"):
        check((*FIELDS, field))
    rule = IdentifierRule(canonical=always(canonical), warnings={ODD: "There is one."})
    check((*FIELDS, replace(field, rule=rule)))


def test_the_telephone_needs_its_warning():
    phone = BY_PATH["user_data.ph"]
    assert phone.rule
    others = [field for field in FIELDS if field is not phone]
    with pytest.raises(ValueError, match=r"user_data.ph: canonical may raise phone_without_country"):
        check((*others, replace(phone, rule=replace(phone.rule, warnings={}))))
