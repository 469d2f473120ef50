# The database server of the tests; the tests start one of their own, and need no service.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || attempt postgres debian postgresql
