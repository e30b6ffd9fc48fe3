-- What was sold every month, to how many known customers. The last month stops on the 9th.
WITH company AS (
    SELECT
        period_start,
        max(n) FILTER (metric = 'lines') AS rows,
        max(value) FILTER (metric = 'net_amount') AS net_amount,
        max(value) FILTER (metric = 'known_sales_amount') AS sale_amount_identified
    FROM scorecard_company
    WHERE period = 'month'
    GROUP BY period_start
),
documents AS (
    SELECT
        period_start,
        max(n) FILTER (segment = 'sale') AS sales_invoices,
        max(n) FILTER (segment = 'cancellation') AS cancel_invoices
    FROM scorecard_segment
    WHERE period = 'month' AND touchpoint_id = 'all' AND metric = 'invoices'
    GROUP BY period_start
),
buyers AS (
    SELECT
        CAST(date_trunc('month', opened_at AT TIME ZONE 'Europe/London') AS DATE) AS period_start,
        count(DISTINCT customer_key) AS active_customers
    FROM fact_case
    WHERE attribute_document = 'sale'
    GROUP BY ALL
)
SELECT
    strftime(period_start, '%Y-%m') AS ym,
    rows,
    net_amount,
    sales_invoices,
    cancel_invoices,
    active_customers,
    sale_amount_identified
FROM company
JOIN documents USING (period_start)
JOIN buyers USING (period_start)
ORDER BY ym
