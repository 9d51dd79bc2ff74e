#!/bin/bash
# The step `timestamp` of a ceremony: the query, the authority's answer at once, later, or never, and what both verifiers say.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh

# The step waits where a response was promised; without one it is done with what was asked alone.
prepared() { # answers
    short_ceremony stamped "$1" 'Have the record stamped, do: timestamp'
    estate_trust
    opening_approved "$D/short.yaml"
}
both_hold() { # transcript, trust
    must "$Q" verify "$1" --trust "$2"
    must python3 tests/verify.py "$1" --trust "$2"
}
both_refuse() {
    ends 1 "$Q" verify "$1" --trust "$2"
    says timestamp
    ends 1 python3 tests/verify.py "$1" --trust "$2"
}

case_answered_in_the_room() {
    local folder=$D/estate/ceremonies/stamped-1
    authority tsa
    authority stranger
    prepared '{"1.2": {response: response.tsr}}'
    # The authority has not answered yet: the ceremony stands at this step, and its query stays what it is.
    ends 1 short_holds
    says response.tsr
    must cp "$folder/1.2.tsq" "$D/query.tsq"
    openssl ts -query -digest "$(sha256sum <"$D/policy.yaml" | cut -d' ' -f1)" -sha256 -cert -out "$D/other.tsq"
    stamp tsa "$D/other.tsq" "$D/response.tsr"
    ends 1 short_holds
    says 'not over this checkpoint'
    must cmp "$folder/1.2.tsq" "$D/query.tsq"
    stamp tsa "$D/query.tsq" "$D/response.tsr"
    must openssl ts -verify -data "$folder/1.2.checkpoint" -in "$D/response.tsr" -CAfile "$D/tsa.pem"
    must short_holds
    must "$Q" transcript stamped-1 "$D/transcript"
    grep -q '"kind":"timestamp"' "$D/transcript/entries" || fail 'no artifact'
    both_hold "$D/transcript" "$D/trust.yaml"
    (cat "$D/trust.yaml" && echo 'timestamp-authorities: tsa.pem') >"$D/stamp-trust.yaml"
    both_hold "$D/transcript" "$D/stamp-trust.yaml"
    "$Q" verify "$D/transcript" --trust "$D/stamp-trust.yaml" | grep -Eq '^proven +timestamp' || fail 'not proven'
    sed 's/tsa.pem/stranger.pem/' "$D/stamp-trust.yaml" >"$D/stranger-trust.yaml"
    both_refuse "$D/transcript" "$D/stranger-trust.yaml"
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" \
        --kinds stamps
    says '6 changes in all'
}

case_never_answered() {
    prepared '{"1.2": {}}'
    must short_holds
    must "$Q" transcript stamped-1 "$D/transcript"
    both_hold "$D/transcript" "$D/trust.yaml"
    must "$Q" verify "$D/transcript" --trust "$D/trust.yaml"
    says 'no timestamp of an authority'
}

cases
