-- Who had a problem, every year: among those who said yes or no, and a thousand respondents.
SELECT
    year(period_start) AS year,
    n AS valid,
    numerator AS problems,
    value AS problem_rate,
    value_low AS lo,
    value_high AS hi,
    1000 * numerator / (n + excluded_count) AS problems_per_1000_respondents
FROM scorecard_touchpoint
WHERE period = 'month' AND metric = 'problems'
ORDER BY year
