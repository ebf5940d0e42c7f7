"""Arrays that were written as text are lists, where the text cannot be anything else."""

from __future__ import annotations

import pytest

from airflow_provider_pinterest.conversions.array_texts import LONGEST, in_brackets, separated
from tests.conversions.rows import good, new_transform, sent, sha

ARRAYS = {
    '["a", "b"]': ["a", "b"],
    "['a', 'b']": ["a", "b"],
    "['a' 'b']": ["a", "b"],
    "['a'\n 'b']": ["a", "b"],
    "('a', 'b')": ["a", "b"],
    "('a',)": ["a"],
    "{'a', 'b'}": ["a", "b"],
    "array(['a', 'b'], dtype=object)": ["a", "b"],
    "frozenset({'a', 'b'})": ["a", "b"],
    "WrappedArray(a, b)": ["a", "b"],
    "[u'a', u'b']": ["a", "b"],
    "[b'a', b'b']": ["a", "b"],
    "[None, 'a', 'None']": ["a", "None"],
    "[1, 2]": ["1", "2"],
    "[1, 2,]": ["1", "2"],
    "{a,b}": ["a", "b"],
    "{a}": ["a"],
    '{"a b",c}': ["a b", "c"],
    '{"a,b",c}': ["a,b", "c"],
    '{"a\\"b","c\\\\d"}': ['a"b', "c\\d"],
    "{1,2,NULL}": ["1", "2"],
    "[0:1]={a,b}": ["a", "b"],
    'a:2:{i:0;s:1:"a";i:1;i:7;}': ["a", "7"],
    "a,b": ["a", "b"],
    "a, b": ["a", "b"],
    "a;b": ["a", "b"],
    "a,b,": ["a", "b"],
    "a\nb\r\nc": ["a", "b", "c"],
    '"a,b"': ["a", "b"],
}
SINGLE = [
    *("a", "a b", "a b, c", "a;b,c", "a,,b", "{{a,b},{c,d}}", "{{user.id}}", "${id}", "{'a': 1}", '{"a": 1}', "{a: 1}"),
    *("{6F9619FF-8B86-D011-B42D-00CF4FC964FF}", "a {b}", "shirt (red)", "(a, b)", "a|b", "a/b", "a:b"),
]


@pytest.mark.parametrize("text", ARRAYS)
def test_an_array_as_text_is_a_list_of_products(text):
    transform = new_transform()
    for number, cell in enumerate((text, f" {text} ", text.encode())):
        assert sent(good(event_id=number, content_ids=cell), transform)["custom_data"]["content_ids"] == ARRAYS[text]
    assert not transform.warnings


@pytest.mark.parametrize("text", SINGLE)
def test_other_text_is_one_product(text):
    transform = new_transform()
    assert sent(good(content_ids=text), transform)["custom_data"]["content_ids"] == [text]
    assert not transform.warnings


@pytest.mark.parametrize("cell", [["a,b"], '["a,b"]', '{"a,b"}', ("a,b",), "['a,b']"])
def test_a_comma_in_an_element_of_an_array_belongs_to_the_id(cell):
    assert sent(good(content_ids=cell))["custom_data"]["content_ids"] == ["a,b"]


@pytest.mark.parametrize("cell", ["{}", "[]", " {} ", [], "{NULL}"])
def test_an_empty_array_is_empty(cell):
    transform = new_transform()
    event = sent(good(content_ids=cell, user_id=cell, city=cell, phone=cell), transform)
    assert "custom_data" not in event
    assert event["user_data"].keys() == {"em"}
    assert not transform.warnings


@pytest.mark.parametrize(
    ("column", "name", "elements"),
    [
        ("email", "em", ["ada@example.com", "bob@example.com"]),
        ("user_id", "external_id", ["c-1", "c-2"]),
        ("phone", "ph", ["4930123456", "14155552671"]),
        ("first_name", "fn", ["ada", "grace"]),
        ("last_name", "ln", ["o'neill", "hopper"]),
        ("city", "ct", ["berlin", "paris"]),
        ("zip", "zp", ["94107", "10001"]),
        ("country", "country", ["de", "fr"]),
        ("gender", "ge", ["f", "m"]),
        ("birthday", "db", ["19850314", "19900403"]),
    ],
)
@pytest.mark.parametrize("shape", ["{%s,%s}", '{"%s",%s}', '["%s", "%s"]', "[\"%s\", '%s']"])
def test_an_array_as_text_is_a_list_of_identifiers(column, name, elements, shape):
    if "[%s" in shape and "'" in elements[0]:
        pytest.skip("a quotation mark in a text without them")
    plus = "+" if name == "ph" else ""
    transform = new_transform()
    cell = shape % tuple(f"{plus}{one}" for one in elements)
    assert sent(good(**{column: cell}), transform)["user_data"][name] == [*map(sha, elements)]
    assert not transform.warnings


def test_an_id_in_braces_stays_as_it_is():
    guid = "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}"
    assert sent(good(user_id=guid))["user_data"]["external_id"] == [sha(guid)]


def test_a_list_of_languages_is_a_list():
    assert sent(good(**{"device_info.languages": "{de,en}"}))["device_info"]["languages"] == ["de", "en"]
    assert sent(good(**{"device_info.languages": "de,en"}))["device_info"]["languages"] == ["de", "en"]


def test_the_first_address_of_an_array_is_sent():
    assert sent(good(ip="{192.168.0.1,203.0.113.9}"))["user_data"]["client_ip_address"] == "203.0.113.9"


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "{" + "a," * 60_000 + "}", "['" + "\\" * 89_999 + "']", "[" + " " * 99_000]
)
def test_a_long_text_costs_no_time(text):
    assert in_brackets(text) is None
    assert separated("a," * LONGEST) is None
