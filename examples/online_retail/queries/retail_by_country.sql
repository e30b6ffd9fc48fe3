-- Sales to known customers, by country.
WITH invoiced AS (
    SELECT
        attribute_country AS country,
        count(DISTINCT customer_key) AS customers,
        count(*) AS invoices
    FROM fact_case
    WHERE attribute_document = 'sale' AND customer_key IS NOT NULL
    GROUP BY attribute_country
)
SELECT invoiced.country AS "Country", invoiced.customers, invoiced.invoices, sold.value AS amount
FROM invoiced
JOIN scorecard_segment AS sold
    ON sold.segment = invoiced.country
    AND sold.metric = 'known_sales_amount'
    AND sold.period = 'to_date'
    AND sold.touchpoint_id = 'all'
ORDER BY amount DESC
