#!/bin/bash
# Create the database at the first start, then run the given command.
set -euo pipefail
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --encoding=UTF8 --locale=C.UTF-8 --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-host=scram-sha-256 --auth-local=trust > /dev/null
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  pg_ctl --options="-c listen_addresses='' -c unix_socket_directories=/tmp" --wait start > /dev/null
  psql --host=/tmp --username="$POSTGRES_USER" --dbname=postgres --quiet --command="CREATE DATABASE \"$POSTGRES_DB\""
  pg_ctl --wait stop > /dev/null
fi
exec "$@" -c "listen_addresses=*"
