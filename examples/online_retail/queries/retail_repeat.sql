-- Who of the known customers buys again, and after how many days by the shop's clock: metric, value, text.
WITH bought AS (
    SELECT customer_key, case_id, opened_at AT TIME ZONE 'Europe/London' AS bought_at
    FROM fact_case
    WHERE attribute_document = 'sale' AND customer_key IS NOT NULL
),
gaps AS (
    SELECT
        customer_key,
        bought_at - lag(bought_at) OVER (PARTITION BY customer_key ORDER BY bought_at, case_id) AS gap
    FROM bought
),
buyers AS (
    SELECT
        count(DISTINCT customer_key) AS customers,
        count(DISTINCT customer_key) FILTER (gap IS NOT NULL) AS repeat_customers,
        count(gap) AS gaps,
        quantile_cont(epoch(gap) / 86400, 0.5) AS gap_p50,
        quantile_cont(epoch(gap) / 86400, 0.9) AS gap_p90
    FROM gaps
),
figures (metric, value) AS (
    SELECT 'repeat_customers', repeat_customers FROM buyers
    UNION ALL SELECT 'customers', customers FROM buyers
    UNION ALL SELECT 'repeat_rate', repeat_customers / customers FROM buyers
    UNION ALL SELECT 'gap_n', gaps FROM buyers
    UNION ALL SELECT 'gap_p50_d', gap_p50 FROM buyers
    UNION ALL SELECT 'gap_p90_d', gap_p90 FROM buyers
)
SELECT metric, value, '' AS text FROM figures
