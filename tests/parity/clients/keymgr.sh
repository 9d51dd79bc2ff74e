#!/bin/bash
# Knot DNS's keymgr: signs DNSSEC keys in PKCS#11.
. tests/parity/client.sh
mkdir -p "$W/keys"
cat >"$W/knot.conf" <<CONF
server:
    rundir: $W
database:
    storage: $W
    kasp-db: $W/keys
keystore:
  - id: hsm
    backend: pkcs11
    config: "pkcs11:token=root;pin-value=$PIN $MODULE"
policy:
  - id: parity
    keystore: hsm
    manual: on
template:
  - id: default
    dnssec-policy: parity
    dnssec-signing: on
zone:
  - domain: example.org
CONF

manage() {
    keymgr -c "$W/knot.conf" example.org "$@"
}

silent manage generate algorithm=ECDSAP256SHA256 ksk=yes zsk=no
silent manage generate algorithm=ECDSAP256SHA256 ksk=no zsk=yes
silent manage generate algorithm=RSASHA256 size=2048 ksk=yes zsk=no
manage list >"$W/list" 2>&1
echo "= $?"
wc -l <"$W/list"
manage ds >"$W/ds" 2>&1
echo "= $?"
cut -d' ' -f4,5 "$W/ds"
for id in $(grep -oE '^[0-9a-f]{40}' "$W/list"); do
    silent manage share "$id" example.org >"$W/noise"
    manage set "$id" retire=+1h remove=+2h >"$W/noise" 2>&1
    echo "= $?"
done
manage delete "$(grep -oE '^[0-9a-f]{40}' "$W/list" | head -n 1)" >"$W/noise" 2>&1
echo "= $?"
manage list 2>/dev/null | wc -l
user --list-objects 2>/dev/null | grep -cE '^(Private|Public) Key'
