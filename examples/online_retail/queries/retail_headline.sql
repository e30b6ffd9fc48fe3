-- Headline figures, one a row: metric, value, text. Identified lines name their customer.
WITH whole AS (
    SELECT * FROM scorecard_company WHERE period = 'to_date'
),
parts AS (
    SELECT * FROM scorecard_segment WHERE period = 'to_date' AND touchpoint_id = 'all'
),
span AS (
    SELECT
        min(opened_at) AT TIME ZONE 'Europe/London' AS first_at,
        max(closed_at) AT TIME ZONE 'Europe/London' AS last_at
    FROM fact_case
),
figures (metric, value, text) AS (
    SELECT 'rows', n, '' FROM whole WHERE metric = 'lines'
    UNION ALL SELECT 'exact_duplicate_rows', sum(failed_count), ''
        FROM dq_rule_results WHERE rule = 'exact_copy'
    UNION ALL SELECT 'invoices', n, '' FROM whole WHERE metric = 'invoices'
    UNION ALL SELECT 'sales_invoices', n, '' FROM parts WHERE metric = 'invoices' AND segment = 'sale'
    UNION ALL SELECT 'cancel_invoices', n, ''
        FROM parts WHERE metric = 'invoices' AND segment = 'cancellation'
    UNION ALL SELECT 'adjust_rows', n, '' FROM parts WHERE metric = 'lines' AND segment = 'adjustment'
    UNION ALL SELECT 'customers_any', count(DISTINCT customer_key), '' FROM fact_case
    UNION ALL SELECT 'customers_with_sale', count(DISTINCT customer_key), ''
        FROM fact_case WHERE attribute_document = 'sale'
    UNION ALL SELECT 'rows_without_customer', n, ''
        FROM parts WHERE metric = 'lines' AND dimension = 'identified' AND segment = 'no'
    UNION ALL SELECT 'net_amount_all', value, '' FROM whole WHERE metric = 'net_amount'
    UNION ALL SELECT 'gross_sales_all', value, '' FROM whole WHERE metric = 'sales_amount'
    UNION ALL SELECT 'cancel_amount', value, ''
        FROM parts WHERE metric = 'net_amount' AND segment = 'cancellation'
    UNION ALL SELECT 'net_amount_identified', value, ''
        FROM parts WHERE metric = 'net_amount' AND dimension = 'identified' AND segment = 'yes'
    UNION ALL SELECT 'sale_amount_identified', value, '' FROM whole WHERE metric = 'known_sales_amount'
    UNION ALL SELECT 'first_ts', NULL, strftime(first_at, '%Y-%m-%d %H:%M:%S') FROM span
    UNION ALL SELECT 'last_ts', NULL, strftime(last_at, '%Y-%m-%d %H:%M:%S') FROM span
)
SELECT metric, value, text FROM figures
