#!/usr/bin/env bash
# Issues a certificate with openssl and puts it into DIRECTORY the way MODE says, every second, until killed.
#   swap.sh AUTHORITY DIRECTORY MODE NAME SAN
#   symlink   releases/N is written whole, then `current` points to it (the served directory is DIRECTORY/current)
#   rename    each file is replaced by rename: certificate first, key 50 ms later
#   in-place  each file is truncated and written where it stands: certificate first, key 50 ms later
# Prints `swapped SERIAL` when the last file of a swap is in place.
set -euo pipefail
authority=$1 directory=$2 mode=$3 name=$4 san=$5
work=$(mktemp -d "$directory/work.XXXXXX")
mkdir -p "$directory/releases"
printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\nkeyUsage=critical,digitalSignature\n' "$san" > "$work/ext"

issue() { # tls.crt and tls.key into $1
  mkdir -p "$1"
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$1/tls.key" -out "$work/csr" 2>/dev/null
  openssl x509 -req -in "$work/csr" -CA "$authority/ca.crt" -CAkey "$authority/ca.key" -days 1 -extfile "$work/ext" -out "$1/tls.crt" 2>/dev/null
  cp "$authority/ca.crt" "$1/ca.crt"
}

n=0
while true; do
  n=$((n + 1))
  case $mode in
    symlink)
      issue "$directory/releases/$n"
      ln -s "releases/$n" "$directory/current.new"
      mv -T "$directory/current.new" "$directory/current"
      rm -rf "$directory/releases/$((n - 5))"
      serial=$(openssl x509 -in "$directory/releases/$n/tls.crt" -noout -serial)
      ;;
    rename | in-place)
      issue "$work/next"
      serial=$(openssl x509 -in "$work/next/tls.crt" -noout -serial)
      mkdir -p "$directory/current"
      for file in tls.crt tls.key ca.crt; do
        if [ "$mode" = rename ]; then
          cp "$work/next/$file" "$directory/current/.$file.new"
          mv "$directory/current/.$file.new" "$directory/current/$file"
        else
          cat "$work/next/$file" > "$directory/current/$file"
        fi
        [ $file = tls.crt ] && sleep 0.05
      done
      ;;
  esac
  echo "swapped ${serial#serial=}"
  sleep 1
done
