"""Create the column parser of a field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from airflow_provider_pinterest.conversions import (
    identifiers,
    personal,
    shop_items,
    url_people,
)
from airflow_provider_pinterest.conversions.cached_parser import CachedParser, DependentParser
from airflow_provider_pinterest.conversions.column_parser import ColumnParser, ParseCell
from airflow_provider_pinterest.conversions.field_types import (
    Field,
    FieldOptions,
    boolean,
    integer,
    number,
    objects,
    plain,
    product_id,
    text,
    time,
)
from airflow_provider_pinterest.conversions.fields import DEPENDENCIES, FIELDS
from airflow_provider_pinterest.conversions.line_items import OTHER_MEMBERS
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.object_lists import MemberParser, ObjectListParser
from airflow_provider_pinterest.conversions.placeholders import spellings
from airflow_provider_pinterest.conversions.text_parsers import HashedParser, ProductIdParser, TextParser
from airflow_provider_pinterest.conversions.typed_parsers import BooleanParser, IntegerParser, NumberParser, TimeParser

_TYPED: Final[Mapping[Callable[[Field, FieldOptions], ParseCell], type[CachedParser]]] = {
    number: NumberParser,
    integer: IntegerParser,
    boolean: BooleanParser,
}
"""Types for which drivers return typed cells."""


def parser_of(field: Field, options: FieldOptions) -> ColumnParser:
    """Create the parser of a field.

    :raises ValueError: the options name a country without a numbering plan.
    """
    unusable = field.warning
    if field.type is objects:
        return ObjectListParser(
            field.name,
            [_member(child, options) for child in FIELDS if child.place == f"{field.path}[]"],
            ignored={*map(folded, OTHER_MEMBERS)},
            mapped=options.members.get(field.path, {}),
            is_open=field.path in options.open_lists,
            unusable=unusable,
        )
    read = field.type(field, options)
    if field.type is time:
        return TimeParser(field.name, read, options.timezone, unusable)
    if field.type in _TYPED:
        return _TYPED[field.type](field.name, read, unusable)
    if isinstance(read, identifiers.HashedIdentifier):
        depends_on = field.rule.depends_on.path if field.rule and field.rule.depends_on else None
        if read.plain:
            return HashedParser(field.name, read, read.plain, unusable, depends_on)
        if depends_on:
            return DependentParser(field.name, read, depends_on, unusable)
        return (
            CachedParser(field.name, read, unusable, lists=True, shared=DEPENDENCIES.get(field.path))
            if field.repeats
            else ColumnParser(field.name, read, unusable)
        )
    if field.repeats:
        return CachedParser(field.name, read, unusable)
    if field.type in {text, plain, product_id} and field.max_length is None:
        placeholders = spellings(options.placeholders) if field.is_id or field.rule else frozenset()
        kind = ProductIdParser if field.type is product_id else TextParser
        needs_care = field.rule.needs_care if field.rule else None
        if field.type is product_id:
            needs_care = shop_items.has_global_ids
        elif field.personal is personal.cut:
            needs_care = url_people.may_have_person
        return kind(field.name, read, unusable, placeholders, as_code=field.is_code, needs_care=needs_care)
    return ColumnParser(field.name, read, unusable)


def _member(field: Field, options: FieldOptions) -> MemberParser:
    """Create the parser of a member of the objects in a list."""
    rivals = tuple(frozenset(map(folded, names)) for names in field.rivals)
    return MemberParser(parser_of(field, options), tuple(map(folded, field.names)), rivals)
