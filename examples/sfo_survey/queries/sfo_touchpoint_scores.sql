-- Every touchpoint, every year: who was asked, who answered, how they rated it; unweighted but for the last two.
WITH answered AS (
    SELECT
        month_start,
        touchpoint_id,
        sum(answers_count) FILTER (score = 5) AS top1,
        sum(answers_count) FILTER (score <= 2) AS bottom2
    FROM score_distribution
    WHERE metric = 'satisfied'
    GROUP BY month_start, touchpoint_id
),
ratings AS (
    UNPIVOT (SELECT opened_at, attribute_weight AS weight, COLUMNS('attribute_rated_(.*)') AS '\1' FROM fact_case)
    ON * EXCLUDE (opened_at, weight) INTO NAME touchpoint_id VALUE score
),
weighted AS (
    SELECT
        year(opened_at) AS year,
        touchpoint_id,
        sum(weight * score) / sum(weight) AS mean,
        sum(weight) FILTER (score >= 4) / sum(weight) AS t2b
    FROM ratings
    WHERE score BETWEEN 1 AND 5
    GROUP BY ALL
)
SELECT
    year(satisfied.period_start) AS year,
    satisfied.touchpoint_id AS touchpoint,
    header.delivered_as AS "column",
    satisfied.n + satisfied.excluded_count AS respondents,
    satisfied.n AS valid,
    satisfied.n / (satisfied.n + satisfied.excluded_count) AS item_response_rate,
    rating.value AS mean,
    sqrt((rating.sum_of_squares - rating.sum * rating.sum / rating.n) / (rating.n - 1)) AS sd,
    satisfied.numerator AS top2,
    satisfied.value AS t2b,
    satisfied.value_low AS t2b_lo,
    satisfied.value_high AS t2b_hi,
    CAST(answered.top1 AS BIGINT) AS top1,
    CAST(answered.bottom2 AS BIGINT) AS bottom2,
    weighted.mean AS weighted_mean,
    weighted.t2b AS weighted_t2b
FROM scorecard_touchpoint AS satisfied
JOIN scorecard_touchpoint AS rating USING (period, period_start, touchpoint_id)
JOIN answered
    ON answered.month_start = satisfied.period_start AND answered.touchpoint_id = satisfied.touchpoint_id
JOIN weighted
    ON weighted.year = year(satisfied.period_start) AND weighted.touchpoint_id = satisfied.touchpoint_id
JOIN dim_feed_column AS header -- what the year's file calls the question
    ON header.feed = 'survey'
    AND header.stream = 'may_' || year(satisfied.period_start)
    AND header.column_name = satisfied.touchpoint_id
WHERE satisfied.period = 'month' AND satisfied.metric = 'satisfied' AND rating.metric = 'rating'
ORDER BY year, touchpoint
