#!/bin/bash
# A home goes on at another machine: the old one is closed, the record is one.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh

# Nothing is written here any more, and it says where the log goes on.
closed() {
    local before
    before=$(wc -l <"$D/estate/log/entries")
    ends 1 generate EC:prime256v1 app-more
    ends 1 "$Q" suspend estate --reason test
    says 'this home is closed: its log goes on elsewhere as moved.example/2'
    ends 1 "$Q" log change-key
    [ "$(wc -l <"$D/estate/log/entries")" = "$before" ] || fail 'something was written'
    must "$Q" log check
}

estate_trust() {
    printf 'log-key: "%s"\npolicy: "sha256:%s"\n' "$FIRST" "$(sha256sum <"$D/policy.yaml" | cut -d' ' -f1)" >"$D/trust.yaml"
}

case_the_home_moves() {
    local key old=$D void
    FIRST=$(cat "$D/estate/log/vkey") # the key that an auditor trusts
    born EC:prime256v1 app-tls
    asks generate EC:prime256v1 app-pending
    void=$ID
    must "$Q" log new-home moved.example/2 "$D/new.key"
    key=$(sed -n 's/^ *log-key *//p' <<<"$OUT")
    [ "$(stat -c %a "$D/new.key")" = 600 ] || fail 'others may read the new key'
    ends 1 "$Q" log new-home moved.example/2 "$D/new.key"
    ends 1 "$Q" log move "$(cat "$D/estate/log/vkey")"
    says 'one of this log itself'
    asks "$Q" log move "$key"
    approve "$ID" authority-1
    ends 1 "$Q" log move "$key"
    approve "$ID" authority-2
    must "$Q" log move "$key"
    says moved
    closed
    ends 1 "$Q" log move "$key"

    D=$old-elsewhere
    rm -rf "$D"
    estate_copy "$old"
    rm "$D/estate/log/key"
    ends 2 "$Q" suspend estate --reason test
    cp "$old/new.key" "$D/estate/log/key.new"
    chmod 600 "$D/estate/log/key.new"
    must "$Q" log check
    ends 1 "$Q" approve "$void" --as custodian-1 --key "$(cat "$D/people/custodian-1.uri")" --yes
    born EC:prime256v1 app-pending
    [ ! -e "$D/estate/log/key.new" ] || fail 'the new key is not in its place'
    must "$Q" log check
    says moved.example/2

    answers -e 's/"3.2": .*//'
    opening_approved $SCRIPT
    must holds $SCRIPT
    transcript_holds $CEREMONY
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" --only 'a move of the home'
    says '4 changes in all'
    rm -rf "$D"
    D=$old
    # shellcheck source=/dev/null
    . "$D/env.sh"
    closed
}

cases
