# The proxy of the deployment tests; they start one of their own, and need no service.
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || attempt nginx debian nginx-light
