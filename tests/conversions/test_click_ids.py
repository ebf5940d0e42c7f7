"""The click id is found in URLs, cookies and cookie headers."""

from __future__ import annotations

import pytest

from tests.conversions.rows import good, new_transform, outcomes_of, sent

SHOP = "https://shop.example.com/p"
ID = "dj0yJnU9SXZfLXo"


@pytest.mark.parametrize(
    "cell",
    [
        *(ID, f" {ID} ", f"_epik={ID}", f"epik={ID}", f"EPIK={ID}", f"?epik={ID}", f"#epik={ID}", f"_epik%3D{ID}"),
        *(f"{SHOP}?utm_source=x&epik={ID}&y=1", f"{SHOP}#epik={ID}", f"{SHOP}?to=https%3A%2F%2Fx%2F%3Fepik%3D{ID}"),
        *(f"_ga=GA1.2.3; _epik={ID}; _fbp=fb.1", f"Cookie: a=b; _epik={ID}", f"_epik={ID}; Path=/; Secure"),
        *(f"_derived_epik=dj0x; _epik={ID}", f'{{"_epik": "{ID}"}}', f"{{'epik': '{ID}'}}", f'"_epik={ID}"'),
        *(f'_epik="{ID}"', f"epik: {ID}", f"{SHOP}?email=ada@example.com&epik={ID}", f"_epik={ID}".encode()),
    ],
)
def test_the_value_is_sent(cell):
    transform = new_transform()
    assert sent(good(click_id=cell), transform)["user_data"]["click_id"] == ID
    assert not transform.warnings


@pytest.mark.parametrize(
    "cell",
    [
        *(
            SHOP,
            f"{SHOP}?utm_source=x",
            "_ga=GA1.2.3",
            "gclid=Cj0",
            "_epik=",
            "epik=null",
            "_derived_epik=dj0x",
            "myepik=1",
        ),
        *("[{", "a}b", "a<b", "a>b", "a&b", "a#b", "a;b", "a?b", "a\tb", "a\u00a0b"),
        *("a b", f"{SHOP}?notepik=1", '{"gclid": "x"}', f"epik={'a' * 2_000}", "x=" * 20_000),
    ],
)
def test_text_without_a_click_id_is_left_out(cell):
    transform = new_transform()
    assert "click_id" not in sent(good(click_id=cell), transform)["user_data"]
    assert transform.warnings == {"unusable_click_id": 1}


@pytest.mark.parametrize("cell", ["ada@example.com", "epik=ada@example.com", "epik=ada%40example.com"])
def test_an_address_is_left_out(cell):
    transform = new_transform()
    assert "click_id" not in sent(good(click_id=cell), transform)["user_data"]
    assert transform.warnings.total() == 1


@pytest.mark.parametrize("cell", ["dj0y==", "dj0y.-_~", "AB/CD+EF="])
def test_an_id_with_other_characters_stays(cell):
    assert sent(good(click_id=cell))["user_data"]["click_id"] == cell


def test_a_column_of_several_forms_is_read_row_by_row():
    cells = [ID, f"epik={ID}", None, SHOP]
    rows = [good(event_id=number, click_id=cell) for number, cell in enumerate(cells)]
    found = [b"click_id" in one.body for one in outcomes_of(rows)]
    assert found == [True, True, False, False]
