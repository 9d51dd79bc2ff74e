#!/bin/bash
# `failover: use`: the primary's HSM is gone, stock clients go on with a replica, and the record of it verifies.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh
FROM=bare

failover_ready() {
    sed -i 's/replicas: \[cardiff, glasgow\]/&, failover: use/' "$D/template.yaml"
    estate_policy "$D/template.yaml"
    prepare_ready
}

# The primary's token directory goes, or comes back.
pull() {
    local serial folder
    serial=$(estate_serial root-slough)
    for folder in "$D"/tokens/*; do
        if [[ $(tr -d - <<<"${folder##*/}") == *"$serial" ]]; then
            PULLED=$folder
            mv "$folder" "$D/pulled"
            return
        fi
    done
    fail "no token directory of $serial"
}

push() {
    mv "$D/pulled" "$PULLED"
}

sign() {
    p11 --sign --mechanism ECDSA --id "$KEY" --input-file "$D/digest" --output-file "$D/signature" --signature-format openssl
}

case_stock_clients_go_on() {
    failover_ready
    born EC:prime256v1 app-tls
    must p11 --list-objects --type privkey
    KEY=$(sed -n 's/^ *ID: *//p' <<<"$OUT")
    p11tool --export "pkcs11:token=root-slough;object=app-tls;type=public" >"$D/app.pub" 2>/dev/null
    head -c 32 /dev/urandom >"$D/digest"
    pull
    must sign
    must openssl pkeyutl -verify -pubin -inkey "$D/app.pub" -in "$D/digest" -sigfile "$D/signature"
    must sign
    must "$Q" status
    says 'failover of root since entry' 'cardiff serves its uses' 'uses of root go to cardiff, all else waits'
    must "$Q" status --json
    says '"serves":"true"'
    ends 1 generate EC:prime256v1 app-later
    says '0x200'
    must "$Q" settle
    says 'token root'
    push
    must "$Q" settle
    says 'uses go to the primary again'
    must "$Q" settle
    says 'Nothing was left half done.'
    [ "$(grep -c '"type":"failover"' "$D/estate/log/entries")" = 2 ] || fail 'not one entry there and one back'
    born EC:prime256v1 app-later
    must sign
    must openssl pkeyutl -verify -pubin -inkey "$D/app.pub" -in "$D/digest" -sigfile "$D/signature"

    answers -e 's/"3.2": .*//'
    opening_approved $SCRIPT
    must holds $SCRIPT
    transcript_holds $CEREMONY
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" \
        --only 'uses that go'
    says '5 changes in all'
}

# The old primary is lost for good: a replica takes its place by quorum, births go on with what is left and what comes.
case_promotion() {
    estate_policy "$D/template.yaml"
    prepare_ready
    born EC:prime256v1 app-tls
    must p11 --list-objects --type privkey
    KEY=$(sed -n 's/^ *ID: *//p' <<<"$OUT")
    p11tool --export "pkcs11:token=root-slough;object=app-tls;type=public" >"$D/app.pub" 2>/dev/null
    head -c 32 /dev/urandom >"$D/digest"
    pull
    ends 1 p11 --list-objects # no failover: the token is not there
    asks "$Q" promote root cardiff
    ends 1 "$Q" request show "$ID"
    says promote cardiff
    ends 1 "$Q" promote root cardiff
    approve "$ID" authority-1 authority-2
    must "$Q" promote root cardiff
    says 'cardiff is the primary of root now'
    ends 1 "$Q" promote root cardiff
    says already
    must "$Q" status
    matches 'root +cardiff +primary'
    matches 'root +slough +replica'
    # The primary in force counts, whichever policy is asked.
    local policy
    for policy in '' "--policy $D/policy.yaml"; do
        # shellcheck disable=SC2086
        ends 1 "$Q" policy explain generate $policy --token root --label app-1 --type EC:P-384 --usage sign --json
        says '"sites":["slough","glasgow"]'
    done
    p11() {
        client pkcs11-tool --module "$MODULE" --token-label root --login --pin "$(pin cardiff)" "$@"
    }
    must sign
    must openssl pkeyutl -verify -pubin -inkey "$D/app.pub" -in "$D/digest" -sigfile "$D/signature"
    asks generate EC:prime256v1 app-later
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:prime256v1 app-later
    push
    must generate EC:prime256v1 app-later
    grep -q '"label":"app-later",.*"sites":\["cardiff","slough","glasgow"\]' "$D/estate/log/entries" || fail 'not born at cardiff first'
    must "$Q" log check

    answers -e 's/"3.2": .*//'
    opening_approved $SCRIPT
    must holds $SCRIPT
    transcript_holds $CEREMONY
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" --only promotion
    says '4 changes in all'
}

cases
