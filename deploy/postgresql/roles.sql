-- Run once by the image of PostgreSQL, when it makes its data folder: the owner of the records, and a reader for the dashboards.
\set hearthwatch_password `cat /run/secrets/hearthwatch_password`
\set grafana_password `cat /run/secrets/grafana_password`

CREATE ROLE hearthwatch LOGIN PASSWORD :'hearthwatch_password';
CREATE DATABASE hearthwatch OWNER hearthwatch;
REVOKE ALL ON DATABASE hearthwatch FROM PUBLIC;

-- What it may read is granted table by table in deploy/init/grafana.sql, once the tables are there.
CREATE ROLE grafana LOGIN PASSWORD :'grafana_password' CONNECTION LIMIT 20;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
GRANT CONNECT ON DATABASE hearthwatch TO grafana;
