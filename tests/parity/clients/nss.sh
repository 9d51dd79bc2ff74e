#!/bin/bash
# modutil and certutil of NSS.
. tests/parity/client.sh
mkdir -p "$W/db"
echo "$PIN" >"$W/pin"
head -c 64 /dev/urandom >"$W/noise"
silent certutil -N -d "sql:$W/db" --empty-password
try modutil -dbdir "sql:$W/db" -force -add parity -libfile "$MODULE"
modutil -dbdir "sql:$W/db" -list parity >"$W/list" 2>&1
echo "= $?"
# SoftHSM has an empty slot beside it.
grep -B 1 -A 1 'Token Name: *root' "$W/list"
try certutil -U -d "sql:$W/db" -h root -f "$W/pin"
silent certutil -S -d "sql:$W/db" -h root -f "$W/pin" -z "$W/noise" -n rsa -s CN=rsa -x -t ,, -k rsa -g 2048 -m 1
silent certutil -S -d "sql:$W/db" -h root -f "$W/pin" -z "$W/noise" -n ec -s CN=ec -x -t ,, -k ec -q nistp256 -m 2
silent certutil -R -d "sql:$W/db" -h root -f "$W/pin" -z "$W/noise" -s CN=request -k ec -q nistp384 -o "$W/csr"
try certutil -L -d "sql:$W/db" -h root -f "$W/pin"
certutil -K -d "sql:$W/db" -h root -f "$W/pin" >"$W/list" 2>&1
echo "= $?"
sed 's/[0-9a-f]\{40\}/ID/' "$W/list" | sort
silent certutil -V -d "sql:$W/db" -h root -f "$W/pin" -n root:ec -u S
silent certutil -F -d "sql:$W/db" -h root -f "$W/pin" -n root:rsa
silent certutil -D -d "sql:$W/db" -h root -f "$W/pin" -n root:ec
certutil -K -d "sql:$W/db" -h root -f "$W/pin" 2>&1 | wc -l
try certutil -L -d "sql:$W/db" -h root -f "$W/pin"
try modutil -dbdir "sql:$W/db" -force -delete parity
user --list-objects 2>/dev/null | grep -E '^(Private|Public|Cert)|label'
