#!/bin/bash
# What people approve of keys besides their birth: use, change, end; suspension; and that both verifiers understand it.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh

FROM=bare
GOVERNED='  - id: governed key
    when: {operation: [use, modify, destroy], token: root, label: "^app-gov", class: private-key}
    require: {quorum: {of: key-custodian, at-least: 2}}
  - id: numbered key
    when: {operation: use, token: root, label: "^app-num", class: private-key}
    require: {quorum: {of: key-custodian, at-least: 2}, uses: {at-most: 2, within: 1 hour}}
  - {id: a free change, when: {operation: modify, token: root, label: "^app-num"}, allow: true}
  - {id: token made new, when: {operation: initialise, token: root}, require: {quorum: {of: key-custodian, at-least: 2}}}'

prepare() {
    policy_first "$GOVERNED"
    prepare_ready
}

signs() { # id, file
    p11 --sign --mechanism ECDSA --id "$1" --input-file "$2" --output-file "$D/signature"
}

# Asked for, approved by two, done.
approved() {
    asks "$@"
    approve "$ID" custodian-1 custodian-2
    must "$@"
}

# Every key that the primary held ends in the record, with its replicas left; a short ceremony afterwards takes it in.
token_made_new() {
    approved client pkcs11-tool --module "$MODULE" --slot-index 0 --init-token --label root-slough --so-pin 12345678
    must "$Q" log show --json --type destroyed
    says '"label":"app-num-1","left":["cardiff","glasgow"],"sites":["slough"]'
    must "$Q" readopt # the log's head went too, and was put there again
    says 'as it should be'
    must "$Q" log check
    short_ceremony after-the-token '{}'
    opening_approved "$D/short.yaml"
    must short_holds
    rm -rf "$D/transcript"
    transcript_holds after-the-token-1
}

case_from_birth_to_end() {
    prepare
    born EC:secp384r1 app-gov-1 --id 0101
    born EC:secp384r1 app-num-1 --id 0202
    head -c 48 /dev/urandom >"$D/one"
    head -c 48 /dev/urandom >"$D/two"
    approved signs 0101 "$D/one"
    must direct slough --delete-object --type data --label "quorate:head:$(head -n 1 "$D/estate/log/checkpoint")"
    ends 1 "$Q" readopt
    approve "$(estate_newest)" authority-1 authority-2
    must "$Q" readopt
    asks signs 0101 "$D/two"
    approved signs 0202 "$D/one" # the second use ends with that process
    asks "$Q" suspend token:root --reason 'smoke in the room'
    approve "$ID" authority-1
    must "$Q" suspend token:root --reason 'smoke in the room'
    must "$Q" status --offline
    says 'token:root'
    ends 1 signs 0101 "$D/two"
    asks "$Q" resume token:root
    approve "$ID" authority-1 authority-2
    must "$Q" resume token:root
    approved p11 --set-id 0103 --type privkey --id 0101
    must p11 --set-id 0203 --type privkey --id 0202 # nobody is asked, and the record says it all the same
    for site in $SITES; do
        for id in 0103 0203; do
            direct "$site" --list-objects --type privkey | grep -q "ID: *$id" || fail "not $id at $site"
        done
    done
    [ "$("$Q" log show --type modified --json | grep -c '"intent"')" = 2 ] || fail 'a change without its intent'
    approved p11 --delete-object --type privkey --id 0103
    [ "$(count_on_hsms app-gov-1 privkey)" = '0 0 0' ] || fail 'not destroyed everywhere'
    must "$Q" log check
    answers
    opening_approved $SCRIPT
    must holds $SCRIPT
    # What the digests of the ceremony's requests stood for lies beside them.
    grep -q 'a certificate (' <<<"$(for tbs in "$D"/estate/requests/*/tbs.der; do
        "$Q" request show "$(basename "$(dirname "$tbs")")"
    done)" || fail 'nobody saw the certificate that was signed'
    transcript_holds $CEREMONY
    must "$Q" verify "$D/transcript" --trust "$D/trust.yaml" --json
    says '"claim":"changes"' '"claim":"suspensions"' '"claim":"heads"' 'root at slough missing'
    token_made_new
}

# A use or an end under approvals asks the HSM too, and is kept back.
case_the_hsm_remembers_another_log() {
    prepare
    born EC:secp384r1 app-gov-1 --id 0101
    head -c 48 /dev/urandom >"$D/one"
    must direct slough --delete-object --type data --label "quorate:head:$(head -n 1 "$D/estate/log/checkpoint")"
    asks signs 0101 "$D/one"
    approve "$ID" custodian-1 custodian-2
    ends 1 signs 0101 "$D/one"
    asks p11 --delete-object --type privkey --id 0101
    approve "$ID" custodian-1 custodian-2
    ends 1 p11 --delete-object --type privkey --id 0101
    [ "$(count_on_hsms app-gov-1 privkey)" = '1 1 1' ] || fail 'the key was destroyed'
    ends 1 "$Q" readopt
    approve "$(estate_newest)" authority-1 authority-2
    must "$Q" readopt
    must signs 0101 "$D/one"
    must p11 --delete-object --type privkey --id 0101
    [ "$(count_on_hsms app-gov-1 privkey)" = '0 0 0' ] || fail 'the key is still there'
}

cases
