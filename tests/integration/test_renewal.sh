#!/bin/bash
# Approvals that are renewed, because a rule wants them within a time.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh
FROM=bare

again() {
    "$Q" approve "$ID" --as "$1" --key "$(cat "$D/people/$1.uri")" --yes --again
}

# $1: person, $2: the document; $3: the file, whose name says what it is.
signed() {
    openssl cms -sign -binary -md sha256 -in "$2" -signer "$D/people/$1.pem" -engine pkcs11 -keyform engine \
        -inkey "$(cat "$D/people/$1.uri")" -outform DER -out "$D/estate/requests/$ID/$3" 2>/dev/null
}

case_renewed() {
    sed -i '/id: birth of an application key pair/,/quorum:/ s/of: key-custodian, at-least: 3/&, within: 1 hour/' "$D/policy.yaml"
    prepare_ready >/dev/null 2>&1
    local beside digest
    asks generate EC:secp384r1 app-1
    beside=$D/estate/requests/$ID
    ends 1 again custodian-1
    says 'nothing to renew'
    approve "$ID" custodian-1
    ends 1 "$Q" approve "$ID" --as custodian-1 --key "$(cat "$D/people/custodian-1.uri")" --yes
    says already
    must again custodian-1
    must again custodian-1
    ends 2 "$Q" approve --file "$beside/request.json" --as custodian-1 --again
    # The same signature in other words is no approval of now: it has the time that it had.
    cp "$beside/custodian-1.p7s" "$D/kept"
    signed custodian-1 "$beside/request.json" custodian-1.p7s
    ends 1 "$Q" request show "$ID"
    says 'custodian-1.p7s' 'by another signature'
    cp "$D/kept" "$beside/custodian-1.p7s"
    # By stock openssl.
    approve "$ID" custodian-2
    digest=$(sha256sum <"$beside/custodian-2.p7s" | cut -d' ' -f1)
    printf '{"renews":"%s","request":"%s","type":"quorate/renewal/v1"}' "$digest" "$(basename "$beside")" >"$D/document"
    signed custodian-2 "$D/document" "custodian-2.$digest.p7s"
    signed custodian-3 "$D/document" "custodian-3.$digest.p7s"
    approve "$ID" custodian-3
    must "$Q" request show "$ID"
    says "custodian-3.$digest.p7s: it renews an approval that is not that person's last one"
    rm "$beside/custodian-3.$digest.p7s"
    must generate EC:secp384r1 app-1
    [ "$("$Q" log show --type approval --json | grep -c "$(basename "$beside")")" = 6 ] || fail 'not six approvals'
    [ "$("$Q" log show --type approval --json | grep "$(basename "$beside")" | grep -c '"renews":')" = 3 ] || fail 'not three renewals'
    recorded renewals
    says '6 changes in all'
}

# Signed elsewhere, over a document that names the approval before.
case_renewed_elsewhere() {
    sed -i '/id: birth of an application key pair/,/quorum:/ s/of: key-custodian, at-least: 3/&, within: 1 hour/' "$D/policy.yaml"
    prepare_ready >/dev/null 2>&1
    local beside first
    asks generate EC:secp384r1 app-1
    beside=$D/estate/requests/$ID
    brought() { # what is told; then as whom and what
        local want=$1
        shift
        ends "$want" "$Q" approve "$ID" --as "$1" --import "$D/$2" "${@:3}"
    }
    renewal() { # signer, the signature before, file
        printf '{"renews":"%s","request":"%s","type":"quorate/renewal/v1"}' "$2" "$(basename "$beside")" >"$D/document"
        signed "$1" "$D/document" "$3"
        mv "$beside/$3" "$D/$3"
    }
    signed custodian-2 "$beside/request.json" first.p7s
    mv "$beside/first.p7s" "$D/"
    first=$(sha256sum <"$D/first.p7s" | cut -d' ' -f1)
    renewal custodian-2 "$first" second.p7s
    brought 1 custodian-2 second.p7s --again
    says 'nothing to renew'
    brought 0 custodian-2 first.p7s
    brought 1 custodian-2 first.p7s
    says already
    brought 1 custodian-2 first.p7s --again
    brought 1 custodian-2 second.p7s
    brought 1 custodian-3 second.p7s --again
    renewal custodian-3 "$first" anothers.p7s
    brought 1 custodian-2 anothers.p7s --again
    renewal custodian-2 "$(sha256sum <"$D/second.p7s" | cut -d' ' -f1)" third.p7s
    brought 1 custodian-2 third.p7s --again
    brought 0 custodian-2 second.p7s --again
    brought 1 custodian-2 second.p7s --again
    brought 0 custodian-2 third.p7s --again
    [ "$("$Q" log show --type approval --json | grep -c "$(basename "$beside")")" = 3 ] || fail 'not three approvals'
    approve "$ID" custodian-1 custodian-3
    must generate EC:secp384r1 app-1
    short_ceremony root-oca-key-generation '{}'
    opening_approved "$D/short.yaml"
    must short_holds
    transcript_holds $CEREMONY
}

# An hour passes between the first approval and the others: the step asks the first one once more.
renewing_script() {
    gcc -shared -fPIC -D_GNU_SOURCE -o "$D/later.so" tests/integration/later.c
    cat >"$D/renewing.yaml" <<'END'
ceremony: A long pause
id: root-oca-key-generation
roles:
  administrator: {of: ceremony-administrator}
  custodian: {of: key-custodian, at-least: 3}
acts:
  - act: All of it
    steps:
      - {step: Enter, by: administrator, do: enter}
      - {step: Enter, by: each custodian, do: enter}
      - {step: Approve, by: 3 custodian, do: approve, for: key}
      - {step: Make it, by: administrator, do: generate-key-pair, saves: key, with: {token: root, label: root-g1, type: EC:P-384}}
      - {step: Close, by: administrator, do: close}
END
    printf '%s\n' 'people: {administrator: administrator, custodian: [custodian-1, custodian-2, custodian-3]}' \
        "keys: {custodian-1: people/custodian-1.uri$1}" 'answers: {}' >"$D/ceremony.answers.yaml"
}
renewed_in_the_step() {
    # The terminal's lines end where they are full.
    OUT=$(sed 's/\x1b\[[0-9]*m//g' <<<"$OUT" | tr -s ' \r\n' ' ')
    matches 'custodian-1 approved at .*, more than 15 minutes before custodian-[23] did at .*: once more'
    local of
    of=$(grep '"action":"approve"' "$D/estate/log/entries" | grep -o '"request":"[0-9a-f]*"')
    [ "$(grep -F "$of" "$D/estate/log/entries" | grep -c '"type":"approval"')" = 4 ] || fail 'not four approvals'
    [ "$(grep -F "$of" "$D/estate/log/entries" | grep -c '"person":"custodian-1".*"renews":')" = 1 ] || fail 'not renewed once'
    transcript_holds $CEREMONY
}

case_in_a_step() {
    prepare_ready >/dev/null 2>&1
    local all=', custodian-2: people/custodian-2.uri, custodian-3: people/custodian-3.uri'
    renewing_script "${all/custodian-2.uri/lost.uri}"
    opening_approved "$D/renewing.yaml"
    ends 2 holds "$D/renewing.yaml"
    says lost.uri
    renewing_script "$all"
    export LD_PRELOAD=$PWD/$D/later.so
    must holds "$D/renewing.yaml"
    unset LD_PRELOAD
    renewed_in_the_step
}

case_in_a_step_at_a_terminal() {
    prepare_ready >/dev/null 2>&1
    renewing_script ''
    asks env BREAK_AT=custodian-2 expect -f tests/integration/people.exp "$D" "$Q" run "$D/renewing.yaml"
    approve "$ID" authority-1 authority-2
    ends 1 env BREAK_AT=custodian-2 expect -f tests/integration/people.exp "$D" "$Q" run "$D/renewing.yaml"
    must env BREAK_AT=nobody expect -f tests/integration/people.exp "$D" env LD_PRELOAD="$PWD/$D/later.so" "$Q" run "$D/renewing.yaml"
    renewed_in_the_step
}

case_nothing_goes_stale() {
    prepare_ready >/dev/null 2>&1
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1
    ends 1 again custodian-1
    says 'lets no approval go stale'
}

cases
