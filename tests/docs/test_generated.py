"""What follows from the code is up to date."""

import subprocess
import sys

import pytest

from airflow_provider_pinterest.conversions.fields import FIELDS, WARNINGS
from airflow_provider_pinterest.conversions.reasons import LEFT_OUT, REASONS
from tests.docs.pages import DOCS, generator, lines

GENERATE = generator()


def test_the_generated_parts_are_those_of_today():
    behind = [page.name for page in sorted(DOCS.glob("*.md")) if page.read_text("utf-8") != GENERATE["renewed"](page)]

    assert not behind, "run python docs/generate.py"


def test_every_part_stands_on_a_page():
    text = "".join(page.read_text("utf-8") for page in DOCS.glob("*.md"))

    assert [name for name in GENERATE["PARTS"] if f"<!-- begin: {name} -->\n" not in text] == []


def test_every_field_is_listed_once():
    listed = [line.cells[0].strip("`") for line in lines(DOCS / "fields.md") if line.head[0] == "Field"]

    assert sorted(listed) == sorted(field.path for field in FIELDS)


def test_every_type_is_explained_and_no_other():
    assert set(GENERATE["TYPES"]) == {field.kind for field in FIELDS}


def test_every_code_has_advice_and_no_other():
    general = {code for code in (*REASONS, *WARNINGS) if not code.startswith(LEFT_OUT)}

    assert set(GENERATE["ADVICE"]) == general


def test_every_code_is_listed_once():
    listed = [line.cells[0].strip("`") for line in lines(DOCS / "reasons.md")]

    assert listed == [*REASONS, *WARNINGS]


@pytest.mark.parametrize("behind", [False, True])
def test_check_says_whether_a_page_is_behind(tmp_path, behind):
    (tmp_path / "generate.py").write_text((DOCS / "generate.py").read_text("utf-8"), "utf-8")
    page = tmp_path / "reasons.md"
    text = (DOCS / "reasons.md").read_text("utf-8")
    page.write_text(text.replace("missing_field", "lost_field") if behind else text, "utf-8")

    ended = subprocess.run([sys.executable, tmp_path / "generate.py", "--check"], capture_output=True, check=False)

    assert ended.returncode == behind
    assert page.read_text("utf-8") == text.replace("missing_field", "lost_field") if behind else text
