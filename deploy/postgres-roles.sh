#!/usr/bin/env bash
# Run once, by the PostgreSQL image, in a database that is new: a role that is no superuser, and a database of its own.
set -euo pipefail
: "${PMO_PASSWORD:?is not in secrets/postgres.env}"

psql --no-psqlrc --set ON_ERROR_STOP=1 --set password="$PMO_PASSWORD" \
    --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE pmo LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE pmo OWNER pmo ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE pmo FROM PUBLIC;
SQL
