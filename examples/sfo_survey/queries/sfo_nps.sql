-- The net promoter score of 2017, as a whole, by boarding area and by time of departure. Unweighted.
WITH scores AS (
    SELECT 'all' AS segment, n, promoters, passives, detractors, value, value_low, value_high, period_start
    FROM scorecard_touchpoint
    WHERE period = 'month' AND metric = 'nps' AND touchpoint_id = 'overall'
    UNION ALL
    SELECT
        dimension || '=' || segment,
        n,
        promoters,
        passives,
        detractors,
        value,
        value_low,
        value_high,
        period_start
    FROM scorecard_segment
    WHERE period = 'month' AND metric = 'nps' AND touchpoint_id = 'overall'
)
SELECT
    year(period_start) AS year,
    segment,
    0 AS weighted,
    n,
    promoters,
    passives,
    detractors,
    value AS nps,
    (value_low + value_high) / 2 AS adjwald_point, -- the interval is centred on the adjusted score
    value_low AS adjwald_lo,
    value_high AS adjwald_hi
FROM scores
ORDER BY year, segment
