"""Members of line items, in shops and tags, that do not match any Pinterest field.

They are ignored, so that a list of line items can be sent as a shop or a tag created it. Other unknown names are errors
unless ``field_map`` ignores them.
"""

from __future__ import annotations

from typing import Final

# Google Analytics 4: https://developers.google.com/analytics/devguides/collection/ga4/reference/events
# and the items of its BigQuery export: https://support.google.com/analytics/answer/7029846
_GA4: Final = """
    affiliation coupon creative_name creative_slot discount google_business_vertical index
    item_category2 item_category3 item_category4 item_category5 item_list_id item_list_index item_list_name
    item_params item_refund item_refund_in_usd item_revenue item_revenue_in_usd item_variant location_id
    price_in_usd promotion_id promotion_name
"""

# The Pinterest tag: https://help.pinterest.com/en/business/article/add-event-codes
_PINTEREST_TAG: Final = "product_variant product_variant_id"

# Segment and RudderStack: https://segment.com/docs/connections/spec/ecommerce/v2/
_SEGMENT: Final = "currency image_url position url value variant"

# Shopify's orders and carts: https://shopify.dev/docs/api/admin-rest/latest/resources/order
_SHOPIFY: Final = """
    admin_graphql_api_id attributed_staffs current_quantity destination_location discount_allocations discounted_price
    discounts duties featured_image final_line_price final_price fulfillable_quantity fulfillment_line_item_id
    fulfillment_service fulfillment_status gift_card grams handle image key line_level_discount_allocations
    line_level_total_discount line_price options_with_values origin_location original_line_price original_price
    pre_tax_price pre_tax_price_set presentment_price price_set product_description product_exists
    product_has_only_default_variant properties requires_shipping sales_line_item_group_id tax_lines taxable
    total_discount total_discount_set unit_price_measurement variant_inventory_management variant_options
    variant_title
"""

# WooCommerce: https://woocommerce.github.io/woocommerce-rest-api-docs/#order-line-items-properties
_WOOCOMMERCE: Final = (
    "global_unique_id meta_data parent_name subtotal subtotal_tax tax_class taxes total total_tax variation"
)

# Meta: https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/custom-data
_META: Final = "delivery_category description"

# TikTok: https://business-api.tiktok.com/portal/docs?id=1771101186666498
_TIKTOK: Final = "content_type"

# Magento: https://developer.adobe.com/commerce/webapi/rest/ (salesOrderRepositoryV1, items of an order)
_MAGENTO: Final = """
    additional_data amount_refunded applied_rule_ids base_amount_refunded base_cost base_discount_amount
    base_discount_invoiced base_discount_refunded base_discount_tax_compensation_amount
    base_discount_tax_compensation_invoiced base_discount_tax_compensation_refunded base_original_price
    base_price_incl_tax base_row_invoiced base_row_total base_row_total_incl_tax base_tax_amount
    base_tax_before_discount base_tax_invoiced base_tax_refunded created_at discount_amount discount_invoiced
    discount_percent discount_refunded discount_tax_compensation_amount discount_tax_compensation_canceled
    discount_tax_compensation_invoiced discount_tax_compensation_refunded extension_attributes free_shipping
    gift_message_id is_qty_decimal is_virtual locked_do_invoice locked_do_ship no_discount order_id parent_item
    parent_item_id price_incl_tax product_option product_options qty_backordered qty_canceled qty_invoiced
    qty_refunded qty_returned qty_shipped quote_item_id quote_id row_invoiced row_total row_total_incl_tax
    row_weight store_id tax_amount tax_before_discount tax_canceled tax_invoiced tax_percent tax_refunded
    updated_at weee_tax_applied weight
"""

# Shopify's GraphQL APIs: https://shopify.dev/docs/api/admin-graphql/latest/objects/LineItem
_SHOPIFY_GRAPHQL: Final = """
    __typename attributes can_restock contract cost current_price custom_attributes cursor discounted_total
    discounted_total_set discounted_unit_price_after_all_discounts_set duties is_gift_card line_item_group
    merchant_editable non_fulfillable_quantity original_total original_total_set refundable_quantity restockable
    selling_plan staff_member total_discount_set unfulfilled_discounted_total_set unfulfilled_original_total_set
    unfulfilled_quantity
"""

_ALL: Final = (
    *(_GA4, _PINTEREST_TAG, _SEGMENT, _SHOPIFY, _WOOCOMMERCE, _META, _TIKTOK, _MAGENTO),
    _SHOPIFY_GRAPHQL,
)

OTHER_MEMBERS: Final[tuple[str, ...]] = tuple(dict.fromkeys(" ".join(_ALL).split()))
"""Names of members of ``contents`` that are ignored."""
