-- What was sold every month, to how many known customers, and who came and went. The last month stops on the 9th.
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
),
bought AS (
    SELECT customer_key, CAST(opened_at AT TIME ZONE 'Europe/London' AS DATE) AS bought_date, attribute_amount AS amount
    FROM fact_case
    WHERE attribute_document = 'sale' AND customer_key IS NOT NULL
),
customers AS (
    SELECT
        customer_key,
        min(bought_date) AS first_date,
        -- Lapsed on the day after 90 days without a sale, if that has come.
        max(bought_date) + 91 AS lapse_date,
        sum(amount) AS lifetime_amount
    FROM bought
    GROUP BY customer_key
),
gained AS (
    SELECT
        CAST(date_trunc('month', first_date) AS DATE) AS period_start,
        count(DISTINCT customer_key) AS gained,
        sum(amount) AS gained_amount
    FROM customers
    JOIN bought USING (customer_key)
    WHERE date_trunc('month', bought_date) = date_trunc('month', first_date)
    GROUP BY ALL
),
lapsed AS (
    SELECT
        CAST(date_trunc('month', lapse_date) AS DATE) AS period_start,
        count(*) AS lapsed,
        sum(lifetime_amount) AS lapsed_amount
    FROM customers
    WHERE lapse_date < DATE '2011-12-10'
    GROUP BY ALL
)
SELECT
    strftime(period_start, '%Y-%m') AS ym,
    rows,
    net_amount,
    sales_invoices,
    cancel_invoices,
    active_customers,
    sale_amount_identified,
    coalesce(gained, 0) AS gained,
    coalesce(gained_amount, 0) AS gained_value_first_month,
    coalesce(lapsed, 0) AS lapsed_90d_final,
    coalesce(lapsed_amount, 0) AS lapsed_value_lifetime,
    coalesce(gained, 0) - coalesce(lapsed, 0) AS customer_flow
FROM company
JOIN documents USING (period_start)
JOIN buyers USING (period_start)
LEFT JOIN gained USING (period_start)
LEFT JOIN lapsed USING (period_start)
ORDER BY ym
