-- What of the map both ways begin with: a few hundred rows each.

CREATE TEMP TABLE rules AS SELECT * FROM read_parquet('$folder/rules.parquet');
CREATE TEMP TABLE groups AS SELECT * FROM read_parquet('$folder/groups.parquet');
CREATE TEMP TABLE touchpoints AS SELECT * FROM read_parquet('$folder/touchpoints.parquet');
CREATE TEMP TABLE tenures AS
SELECT *, (row_number() OVER (ORDER BY touchpoint, since))::SMALLINT AS tenure FROM read_parquet('$folder/tenures.parquet');
CREATE TEMP TABLE answering AS
SELECT touchpoint, owner FROM tenures WHERE since <= $now::TIMESTAMPTZ AND until > $now::TIMESTAMPTZ;
CREATE TEMP TABLE scales (scale VARCHAR, low INTEGER, high INTEGER, top INTEGER);
INSERT INTO scales VALUES ('csat', 1, 5, 4), ('ces', 1, 7, 5), ('nps', 0, 10, NULL);
