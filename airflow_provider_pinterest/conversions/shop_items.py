"""Line items of shops whose shape differs from one flat object per product.

Magento lists a configurable product and its chosen variant as two items. Shopify's GraphQL API nests the product, the
variant and the prices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from airflow_provider_pinterest.conversions.names import folded

_PARENT: Final = "parentitemid"
_MAGENTO: Final = frozenset(
    {_PARENT, "qtyordered", "rowtotal", "rowtotalincltax", "qtyinvoiced", "quoteitemid", "baserowtotal"}
)
"""Names that only the items of Magento have, in their compared form."""

_MAGENTO_TYPES: Final = frozenset({"simple", "configurable", "grouped", "bundle", "virtual", "downloadable"})
_PARENTS: Final = frozenset({"configurable", "bundle"})
_VARIANTS: Final = frozenset({"simple", "virtual", "downloadable"})
_NESTED: Final = frozenset({"node", "product", "variant", "merchandise"})

MARKS: Final = _MAGENTO | _NESTED | {"producttype"}
"""Names of members that call for :func:`flat`, in their compared form."""

_PRODUCTS: Final = frozenset({"Product", "ProductVariant"})
_gid = re.compile(r"gid://shopify/(\w+)/(\d+)").match


def flat(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item with the members of its nested objects, and without those that mislead."""
    names = {folded(name): name for name in one}
    found = {**one}
    node = _object(one, names, "node")
    if node is not None:
        return flat(node)
    variant = _object(one, names, "variant") or _object(one, names, "merchandise") or {}
    product = _object(one, names, "product") or _object(variant, {folded(name): name for name in variant}, "product")
    if variant or product:
        for name in ("variant", "merchandise", "product"):
            found.pop(names.get(name, name), None)
        _add(found, names, {"product_id": _id(product), "variant_id": _id(variant)})
        _add(found, names, {name: variant.get(name) for name in ("sku", "price")})
        _add(found, names, {name: (product or {}).get(name) for name in ("title", "vendor", "productType")})
    line = found.get(names.get("id", "id"))
    gid = _gid(line) if type(line) is str else None
    if gid:
        found[names["id"]] = gid[2] if gid[1] in _PRODUCTS else None
    if not _MAGENTO.isdisjoint(names):
        found.pop(names.get("itemid", ""), None)  # the number of the line, not of the product
    kind = names.get("producttype")
    if kind is not None and _text(one[kind]) in _MAGENTO_TYPES:
        found.pop(kind)
    return found


class Shape(NamedTuple):
    """What decides whether an item is the variant of another item in its list.

    :param line: the number of the item.
    :param parent: the number of the item that it belongs to.
    :param kind: its kind of product.
    :param number: its stock number.
    """

    line: str
    parent: str
    kind: str
    number: str


def shapes(objects: Iterable[Mapping[str, Any]]) -> Iterator[Shape]:
    """Yield the shape of each item."""
    for one in objects:
        node = _object(one, {folded(name): name for name in one}, "node")
        names = {folded(str(name)): value for name, value in (one if node is None else node).items()}
        yield Shape(*(_text(names.get(name)) for name in ("itemid", _PARENT, "producttype", "sku")))


def without_variants(items: Sequence[tuple[Shape, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Yield the items of one list, and an empty object for each variant whose parent is in the list too.

    The parent has the price and the quantity of both, and of a configurable product the stock number of the variant.
    """
    lines = {shape.line for shape, _ in items} - {""}
    parents = {shape.number for shape, _ in items if shape.kind in _PARENTS}
    for shape, item in items:
        if shape.parent:
            is_variant = shape.parent in lines or (bool(parents) and not lines)
        else:
            is_variant = not lines and shape.kind in _VARIANTS and bool(shape.number) and shape.number in parents
        yield {} if is_variant else item


def need_change(objects: Sequence[Mapping[str, Any]], marks: Iterable[str]) -> bool:
    """Return whether one of the objects is not flat, or is an item of Magento.

    :param marks: the names from :data:`MARKS` that they have, as they spell them.
    """
    for mark in marks:
        name = folded(mark)
        if name in _MAGENTO:
            return True
        if name in _NESTED and any(type(one.get(mark)) is dict for one in objects):
            return True
        if name == "producttype" and any(_text(one.get(mark)) in _MAGENTO_TYPES for one in objects):
            return True
    return False


def connected(objects: Sequence[Any] | None) -> Sequence[Any] | None:
    """Return the nodes of a GraphQL connection, ``{"edges": [{"node": …}]}`` or ``{"nodes": […]}``."""
    if objects and len(objects) == 1 and type(objects[0]) is dict:
        for name in ("edges", "nodes"):
            if type(objects[0].get(name)) in (list, tuple):
                return objects[0][name]  # type: ignore[no-any-return]
    return objects


def product_of(number: str) -> str:
    """Return the number in a global id of Shopify's products and variants; other ids unchanged."""
    gid = _gid(number)
    return gid[2] if gid and gid[1] in _PRODUCTS else number


def has_global_ids(members: bytes) -> bool:
    """Return whether one of the encoded ids may be a global id."""
    return members.find(b"gid://") >= 0


def amount(cell: Mapping[str, Any]) -> Any:
    """Return the amount of a money object; ``None`` if it is not one, or has amounts in several currencies."""
    names = {folded(str(name)): value for name, value in cell.items()}
    sides = [names[side] for side in ("shopmoney", "presentmentmoney") if type(names.get(side)) is dict]
    if sides:
        found = {(str(amount(side)), _currency(side)) for side in sides}
        return amount(sides[0]) if len(found) == 1 or len({currency for _, currency in found}) == 1 else None
    if "centamount" in names:
        return None
    if "currencycode" not in names and not (
        "currency" in names and "." in str(names.get("amount", names.get("value")))
    ):
        return None
    return names.get("amount", names.get("value"))


def _currency(money: Mapping[str, Any]) -> str:
    names = {folded(str(name)): value for name, value in money.items()}
    return str(names.get("currencycode", names.get("currency")))


def _object(one: Mapping[str, Any], names: Mapping[str, str], name: str) -> dict[str, Any] | None:
    found = one.get(names.get(name, ""))
    return found if type(found) is dict else None


def _add(found: dict[str, Any], names: Mapping[str, str], members: Mapping[str, Any]) -> None:
    """Add members that an item lacks."""
    for name, value in members.items():
        if value is not None and found.get(names.get(folded(name), name)) in (None, ""):
            found[names.get(folded(name), name)] = value


def _id(document: Mapping[str, Any] | None) -> Any:
    found = (document or {}).get("id")
    gid = _gid(found) if type(found) is str else None
    return gid[2] if gid else found


def _text(cell: Any) -> str:
    """Return a number or a text as text; empty for zero and for anything else."""
    if type(cell) is str:
        return cell.strip() if cell.strip() != "0" else ""
    return str(cell) if type(cell) is int and cell else ""
