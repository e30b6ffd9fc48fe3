-- How often work passed from one group to another.
SELECT from_group AS src, to_group AS dst, CAST(sum(handoff_count) AS BIGINT) AS handoffs
FROM fact_handoff
GROUP BY from_group, to_group
ORDER BY handoffs DESC, src, dst
