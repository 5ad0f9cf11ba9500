#!/bin/sh
# curl.sh DIRECTORY URL PAUSE : the seed's check.sh. A new curl for each request, files read through one resolved
# directory, so that they are of one rotation. A volume that moved while curl was opening its files is read again:
# exit 58 (certificate) and 77 (CA) happen before any connection.
while true; do
  for try in 1 2 3; do
    now=$(readlink -f "$1/..data")
    out=$(curl -sS --max-time 10 -o /dev/null -w '%{http_code}' --cert "$now/tls.crt" --key "$now/tls.key" --cacert "$now/ca.crt" "$2" 2>&1)
    code=$?
    case $code in 58 | 77) [ "$now" = "$(readlink -f "$1/..data")" ] || continue ;; esac
    break
  done
  if [ $code -eq 0 ] && [ "$out" = 200 ]; then echo ok; else echo "failed: exit $code $out"; fi
  sleep "$3"
done
