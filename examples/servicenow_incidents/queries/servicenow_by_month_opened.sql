-- By month of opening: n, agreement kept, reopening, reassignment and resolution.
SELECT
    strftime(period_start, '%Y-%m') AS key,
    max(n) FILTER (metric = 'incidents') AS incidents,
    max(numerator) FILTER (metric = 'reopened') AS reopened,
    max(value) FILTER (metric = 'reopened') AS reopen_rate,
    max(value) FILTER (metric = 'made_sla') AS made_sla_rate,
    max(value_low) FILTER (metric = 'made_sla') AS made_sla_lo,
    max(value_high) FILTER (metric = 'made_sla') AS made_sla_hi,
    max(value) FILTER (metric = 'reassignments') AS reassignment_mean,
    max(numerator) FILTER (metric = 'ping_pong') AS ping_pong,
    max(n) FILTER (metric = 'resolution_p50') AS ttr_n,
    max(value) FILTER (metric = 'resolution_p50') AS ttr_p50_h,
    max(value) FILTER (metric = 'resolution_p90') AS ttr_p90_h
FROM scorecard_company
WHERE period = 'month'
GROUP BY period_start
ORDER BY period_start
