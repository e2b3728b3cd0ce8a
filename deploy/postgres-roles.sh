#!/usr/bin/env bash
# Run once, by the PostgreSQL image, in a database that is new: a role that owns a database of its own and is no superuser,
# and another by which the services work. That one will be let in by `pmo init --admit`: it cannot rewrite the log.
set -euo pipefail
: "${PMO_PASSWORD:?is not in secrets/postgres.env}" "${PMO_APP_PASSWORD:?is not in secrets/postgres.env}"

psql --no-psqlrc --set ON_ERROR_STOP=1 --set password="$PMO_PASSWORD" --set app_password="$PMO_APP_PASSWORD" \
    --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE pmo LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE ROLE pmo_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'app_password';
GRANT pmo_app TO pmo; -- who owns the log can hand over the views
CREATE DATABASE pmo OWNER pmo ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE pmo FROM PUBLIC;
GRANT CONNECT ON DATABASE pmo TO pmo_app;
SQL
