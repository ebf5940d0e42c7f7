"""Transform rows into valid, hashed, deduplicable Pinterest events.

Pure Python: nothing here imports Airflow or uses HTTP. Rows pass through the modules in this order::

    row batches → coalescing → column batches → parsers → events or rejections → duplicates → batches

Fields:

- ``fields``: the table of all fields. ``field_types``: the parts of its lines. ``field_parsers``: creates parsers.
  ``declared_codes``: the warnings that an identifier can raise.
- ``event_names``: the events that Pinterest lists. ``line_items``: members of line items that are ignored.
- ``shop_items``: nested line items, and variants that are listed beside their product.
- ``reasons``: the codes of rejections and warnings, and the errors of cells.

Identifiers of people:

- ``identifier_rules``: the rule of an identifier. ``identifiers``: hashed and unhashed identifiers.
- ``email_addresses``, ``person_identifiers``, ``birth_dates``, ``places``, ``advertising_ids``, ``ip_addresses``,
  ``cities``, ``click_ids``: canonical forms.
- ``telephones``: telephone numbers. ``numbering_plans``: the numbering plans of countries.
- ``region_hashes``: countries and US states by their hashes. ``codes``: lists of countries, states and currencies.
- ``dates``: dates that were stored as an instant. ``digests``: SHA-256 in other notations. ``placeholders``: words that
  mean "empty". ``personal``, ``url_people``: personal data in fields that are sent unhashed.

Cells:

- ``cells``: cells of any type → cells of known types. ``values``: cells → JSON values. ``array_texts``: arrays as text.
  ``invisible``: characters that cannot be seen.
- ``column_parser``: the parser of a column. ``text_parsers``, ``cached_parser``, ``typed_parsers``, ``object_lists``:
  its kinds. ``object_cache``: line items that repeat.

Columns:

- ``mapping``: the mapping of columns to fields. ``field_maps``: its parameter ``field_map``. ``mapping_parameters``:
  its other parameters. ``column_errors``: its messages. ``names``: the comparison of names. ``hints``: suggestions for
  unknown names.
- ``mapping_compiler``: compiles a mapping per set of columns. ``compiled_mapping``: the result.

Rows:

- ``outcomes``: row batches, events, rejections. ``weights``: the memory of rows.
- ``coalescing``: row batches → column batches. ``column_batches``: column batches and their parsed fields.
- ``batch_transformer``: a column batch → events. ``exclusions``: rows that rules exclude. ``id_parts``: parts of an
  ``event_id``.
- ``transform``: the whole transformation, in order. ``duplicates``: events seen before. ``transform_pool``,
  ``pickling``: transformation in other processes.
- ``batches``: events → batches to send.
"""

from __future__ import annotations
