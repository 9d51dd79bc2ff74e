#!/bin/bash
# The record: damage is seen, several processes share it, the policy must be the one that was adopted.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

# The log no longer holds, by `log check` and for everything that would write to it.
broken() {
    ends 1 "$Q" log check
    ends 1 "$Q" request list
    ! generate EC:secp384r1 app-1 >/dev/null 2>&1 || fail 'a birth on a log that does not hold'
}

case_a_whole_log_holds() {
    must "$Q" log check
    must "$Q" status
    says glasgow cardiff slough
}

case_one_entry_is_proven() {
    must "$Q" log prove 2 --entry "$D/entry"
    printf '%s\n' "$OUT" >"$D/proof"
    must "$Q" log check-proof "$D/proof" "$D/entry" --log-key "$(cat "$D/estate/log/vkey")"
    says holds
    printf ' ' >>"$D/entry"
    ends 1 "$Q" log check-proof "$D/proof" "$D/entry" --log-key "$(cat "$D/estate/log/vkey")"
    ends 2 "$Q" log prove 99999
}

case_the_public_folder_follows() {
    must "$Q" log publish --all
    cmp "$D/estate/log/checkpoint" "$D/estate/log/public/checkpoint" || fail 'the public checkpoint is another'
    asks generate EC:secp384r1 app-1
    cmp "$D/estate/log/checkpoint" "$D/estate/log/public/checkpoint" || fail 'what was written was not published'
}

# The key in force, and what signed the last checkpoint.
log_key() {
    cat "$D/estate/log/vkey"
}

case_another_log_key_under_quorum() {
    local first
    first=$(log_key)
    asks "$Q" log change-key
    [ "$(log_key)" = "$first" ] || fail 'the key changed before anybody approved'
    approve "$ID" authority-1
    ends 1 "$Q" log change-key
    [ "$(log_key)" = "$first" ] || fail 'the key changed on one approval'
    approve "$ID" authority-2
    must "$Q" log change-key
    [ "$(log_key)" != "$first" ] || fail 'the key did not change'
    must "$Q" log check
    asks generate EC:secp384r1 app-1
    must "$Q" log check
    must "$Q" log prove 2 --entry "$D/entry"
    printf '%s\n' "$OUT" >"$D/proof"
    must "$Q" log check-proof "$D/proof" "$D/entry" --log-key "$(log_key)"
    ends 1 "$Q" log check-proof "$D/proof" "$D/entry" --log-key "$first"
}

# Whoever has the key can write an entry; without a request and its quorum the estate does not take it.
case_another_log_key_without_quorum() {
    asks "$Q" log change-key
    cp "$D/estate/log/key.new" "$D/estate/log/key"
    ends 1 "$Q" approve "$ID" --as authority-1 --key "$(cat "$D/people/authority-1.uri")" --yes
    says 'not the key that'
}

case_a_truncated_log() {
    sed -i '$d' "$D/estate/log/entries"
    broken
    says entries
}

case_a_torn_line_below_the_signed_size() {
    truncate -s -20 "$D/estate/log/entries"
    broken
}

case_an_altered_entry() {
    sed -i '3s/"time":"20\(..\)/"time":"19\1/' "$D/estate/log/entries"
    broken
}

case_an_altered_checkpoint() {
    sed -i '2s/.*/3/' "$D/estate/log/checkpoint"
    broken
}

case_an_older_checkpoint() {
    cp "$D/estate/log/checkpoint" "$D/older"
    asks generate EC:secp384r1 app-1
    cp "$D/older" "$D/estate/log/checkpoint"
    # What stands beyond the signed size was never acknowledged: it is put aside, and the record says so.
    asks generate EC:secp384r1 app-2
    must "$Q" log show --type recovered
    says recovered
    must "$Q" log check
}

case_a_torn_last_line() {
    printf '{"body":{' >>"$D/estate/log/entries"
    asks generate EC:secp384r1 app-1
    must "$Q" log show --type recovered
    says recovered
    must "$Q" log check
}

case_the_policy_file_differs() {
    sed -i 's/at-least: 3/at-least: 1/' "$D/policy.yaml"
    ! generate EC:secp384r1 app-1 >/dev/null 2>&1 || fail 'a birth under a policy that nobody adopted'
    [ "$(count_on_hsms app-1 privkey)" = '0 0 0' ] || fail 'a key was born'
    # shellcheck disable=SC2015
    OUT=$("$Q" status 2>&1) && fail 'status holds with another policy' || true
    says policy.yaml "$(sha256sum <"$D/policy.yaml" | cut -c1-12)"
}

# SoftHSM loses sight of its tokens where several processes open them at once (pkcs11-tool straight on it finds "No slot
# with token named" every other time): asked again until it sees them. $1: label; $2: where the answer goes.
generate_beside_others() {
    local rc=0
    for _ in $(seq 1 50); do
        rc=0
        generate EC:secp384r1 "$1" >"$2" 2>&1 || rc=$?
        grep -qE 'No slot|(C_Login|C_GetTokenInfo) failed: rv = CKR_(USER_PIN_NOT_INITIALIZED|GENERAL_ERROR)' "$2" || return "$rc"
    done
    return 1
}

case_several_processes_at_once() {
    local i before
    before=$("$Q" log show | wc -l)
    for i in 1 2 3 4 5 6; do
        generate_beside_others "app-$i" "$D/out.$i" &
    done
    wait
    [ "$(find "$D/estate/requests" -name request.json | wc -l)" -ge 6 ] || fail 'a request is missing'
    for i in 1 2 3 4 5 6; do
        must "$Q" request list
        says "app-$i"
    done
    [ "$("$Q" log show | wc -l)" -ge $((before + 6)) ] || fail 'an entry is missing'
    must "$Q" log check
}

# Two clients retry one approved request at the same time: one key is born, not two.
case_one_request_is_spent_once() {
    local i
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2 custodian-3
    for i in 1 2 3; do
        (generate_beside_others app-1 "$D/out.$i" && echo born >>"$D/born") &
    done
    wait
    [ "$(cat "$D/born")" = born ] || fail "births: $(cat "$D/born" "$D"/out.*)"
    [ "$(count_on_hsms app-1 privkey)" = '1 1 1' ] || fail "keys: $(count_on_hsms app-1 privkey)"
    must "$Q" log check
}

cases
