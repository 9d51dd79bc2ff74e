#!/bin/bash
# Keys that are brought to a site: as steps of a ceremony, and by people who carry files.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh
# shellcheck source=tests/integration/far.sh
. tests/integration/far.sh
FROM=bare

enrolled() {
    asks "$Q" enrol "$1"
    approve "$ID" authority-1 authority-2
    must "$Q" enrol "$1"
}

# A ceremony that brings both keys to the third site: the pair after an `approve`, the secret when it was approved outside.
bringing_script() {
    cat >"$D/bringing.yaml" <<'END'
ceremony: Keys for Glasgow
id: bringing
roles:
  administrator: {of: ceremony-administrator}
  authority: {of: authority, at-least: 2}
acts:
  - act: Bring
    steps:
      - {step: Enter, by: administrator, do: enter}
      - {step: Enter, by: each authority, do: enter}
      - {step: Approve, by: 2 authority, do: approve, for: pair}
      - {step: Bring the key pair, by: administrator, do: replicate, saves: pair, with: {token: root, label: tw-1, site: glasgow}}
      - {step: Bring the secret, by: administrator, do: replicate, with: {token: root, label: tw-2, site: glasgow}}
      - {step: Close, by: administrator, do: close}
END
    printf '%s\n' 'people: {administrator: administrator, authority: [authority-1, authority-2, authority-3]}' \
        'keys: {authority-1: people/authority-1.uri, authority-2: people/authority-2.uri, authority-3: people/authority-3.uri}' "answers: ${1:-{\}}" >"$D/ceremony.answers.yaml"
}
# $1: QUORATE_CRASH_AT.
killed_in_the_step() {
    local rc=0
    QUORATE_CRASH_AT=$1 "$Q" run "$D/bringing.yaml" --answers "$D/ceremony.answers.yaml" \
        --module build/crash/quorate-pkcs11.so >"$D.step" 2>&1 || rc=$?
    [ "$rc" = 137 ] || fail "step $1: ended with $rc instead of being killed: $(cat "$D.step")"
}

case_brought_in_a_ceremony() {
    policy_travelling ''
    sed -i '/^  - id: how it travels$/,/require/s/require: {/&ceremony: [bringing], /' "$D/policy.yaml"
    SITES='slough cardiff' prepare_ready
    born EC:prime256v1 tw-1 --id 0a0b
    asks p11 --keygen --key-type aes:32 --label tw-2 --sensitive --private --extractable --usage-decrypt
    approve "$ID" custodian-1 custodian-2 custodian-3
    must p11 --keygen --key-type aes:32 --label tw-2 --sensitive --private --extractable --usage-decrypt
    bringing_script '{"1.3": {reject: authority-2, reason: not today}}'
    must "$Q" script check "$D/bringing.yaml"
    must "$Q" script print "$D/bringing.yaml"
    says 'Bring the key pair' 'site: glasgow' 'for: step 1.4'
    opening_approved "$D/bringing.yaml"
    # The site is not enrolled: nobody is asked. Then it is; but not without the ceremony.
    ends 1 holds "$D/bringing.yaml"
    says 'not enrolled' 'stands at step 1.3'
    enrolled glasgow
    asks "$Q" replicate root tw-1 glasgow
    approve "$ID" authority-1 authority-2
    ends 1 "$Q" replicate root tw-1 glasgow
    says 'needs an open ceremony'
    ends 1 holds "$D/bringing.yaml"
    says 'step 1.5 is not approved' 'stands at step 1.5'
    [ "$(count_on_hsms tw-1 privkey)" = '1 1 1' ] || fail 'the pair is not at the new site'
    [ "$(count_on_hsms tw-2 secrkey)" = '1 1 0' ] || fail 'the secret went before it was approved'
    grep -q '"actors":\["authority-1","authority-3"\]' "$D/estate/log/entries" || fail 'nobody stood in for the one who rejected'
    bringing_script
    # Whoever is administrator here approves nothing, and one is not enough.
    local request
    request=$(estate_newest)
    approve "$request" authority-1
    ends 1 holds "$D/bringing.yaml"
    says 'step 1.5 is not approved'
    approve "$request" authority-2
    # Killed before the key is there: a deviation is wanted, the same approvals hold.
    killed_in_the_step 12
    ends 1 holds "$D/bringing.yaml"
    says 'begun before' 'goes on only under a deviation'
    [ "$(count_on_hsms tw-2 secrkey)" = '1 1 0' ] || fail 'not rolled back'
    bringing_script '{"1.5": [{deviation: {cause: the power failed, accepted-by: authority-1}}]}'
    # Killed once the log says so: the step is found done, and nothing is done twice.
    local step
    cp -a "$D" "$D.before"
    for step in $(seq 13 40); do
        killed_in_the_step $step
        ! grep -q '"type":"replicated"' <(tail -n 4 "$D/estate/log/entries") || break
        rm -rf "$D"
        cp -a "$D.before" "$D"
    done
    rm -rf "$D.before" "$D.step"
    [ "$(grep -c '"type":"replicated"' "$D/estate/log/entries")" = 2 ] || fail 'never killed once it was brought'
    must holds "$D/bringing.yaml"
    [ "$(count_on_hsms tw-2 secrkey)" = '1 1 1' ] || fail 'the secret is not at the new site'
    [ "$(grep -c '"type":"replicated"' "$D/estate/log/entries")" = 2 ] || fail 'not brought once each'
    one_key tw-1
    must "$Q" inventory
    must "$Q" drill root glasgow
    transcript_holds bringing-1
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" --kinds replications,brought
    printf '%s\n' "$OUT"
    # Once more: the site holds both keys, so nobody approves and nothing is done; both verifiers see that it is so.
    sed -i 's/^id: bringing$/id: held/' "$D/bringing.yaml"
    rm -rf "$D/transcript"
    opening_approved "$D/bringing.yaml"
    must holds "$D/bringing.yaml"
    says 'Nothing to approve' 'Held: tw-1 of root is at glasgow already'
    [ "$(grep -c '"type":"replicated"' "$D/estate/log/entries")" = 2 ] || fail 'brought again'
    transcript_holds held-1
    ! grep '"ceremony":"held-1"' "$D/transcript/entries" | grep -qE '"type":"(deviation|request|approval)"' ||
        fail 'asked for, or a deviation'
}

# Files are carried to glasgow: the key counts there once its receipt is back, and works elsewhere meanwhile.
case_carried_by_people() {
    policy_travelling '  - id: births that wait for nobody
    when: {operation: generate, token: root, label: "^nw-"}
    require: {quorum: {of: key-custodian, at-least: 2}, extractable: trusted-wrap-only, transport: {allow: [oaep-sha1]}}
  - {id: how those travel, when: {operation: replicate, token: root, label: "^nw-"}, require: {quorum: {of: authority, at-least: 2}}}
  - {id: end of a key, when: {operation: destroy, token: root, label: "^tw-"}, require: {quorum: {of: key-custodian, at-least: 2}}}'
    sed -i '/^  - id: birth of a key that may travel$/,/extractable/ s/prove: signature/&, deferred: 1 hour/' "$D/policy.yaml"
    LATER=1 prepare_far '{carried: true}'
    born EC:prime256v1 tw-1 --id 6162
    born EC:prime256v1 tw-2 --id 6363
    born EC:prime256v1 nw-1
    far_introduce
    far_enrol
    # Where no receipt may come later, nobody is asked.
    ends 1 "$Q" replicate root nw-1 glasgow
    says 'files are carried to glasgow by people' 'does not say `deferred`'
    asks "$Q" replicate root tw-1 glasgow
    approve "$ID" authority-1 authority-2
    ends 1 "$Q" replicate root tw-1 glasgow
    says 'tw-1 of root at glasgow: provisional' 'the receipt of glasgow is awaited until' 'quorate offer export glasgow'
    ends 1 "$Q" replicate root tw-1 glasgow --json
    says '"status":"provisional"'
    [ "$(grep -c '"type":"provisional"' "$D/estate/log/entries")" = 1 ] || fail 'begun twice'
    must "$Q" status
    matches 'provisional +intent .*tw-1.* receipt awaited from glasgow until'
    OUT=$(p11 --list-objects --type privkey)
    says tw-1
    must "$Q" inventory
    small_ceremony before host 'goes to glasgow'
    must "$Q" offer export glasgow "$D/out"
    [ "$(ls "$D/out" | wc -l)" = 2 ] || fail 'not two offers'
    must far "$Q" accept "$D"/out/offer-*-2.message --out "$D/receipt"
    ends 1 far "$Q" accept "$D"/out/offer-*-1.message
    says 'another offer of this birth'
    must "$Q" receipt import "$D/receipt"
    says replicated
    ends 1 "$Q" receipt import "$D/receipt"
    must "$Q" replicate root tw-1 glasgow
    says 'held already'
    [ "$(count_with_far tw-1 privkey)" = '1 1 1' ] || fail "private keys: $(count_with_far tw-1 privkey)"
    must "$Q" settle
    says 'yet to be told'
    must "$Q" offer export glasgow "$D/out2"
    must far "$Q" accept "$D"/out2/born-*.message --out "$D/told"
    must "$Q" receipt import "$D/told"
    OUT=$(far direct glasgow --list-objects --type privkey)
    matches 'ID: +6162'
    # A step of a ceremony is done when the offers are made; both verifiers say what is awaited.
    short_ceremony bringing '{}' 'Bring it, do: replicate, with: {token: root, label: tw-2, site: glasgow}'
    opening_approved "$D/short.yaml"
    asks short_holds
    approve "$ID" authority-1 authority-2
    must short_holds
    says 'Provisional: tw-2 of root at glasgow'
    transcript_holds bringing-1
    says 'goes to glasgow'
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" --kinds underway
    printf '%s\n' "$OUT"
    # It ends before its receipt is back: what glasgow took in goes too.
    must "$Q" offer export glasgow "$D/out3"
    must far "$Q" accept "$D"/out3/offer-*-1.message --out "$D/receipt-2"
    [ "$(count_with_far tw-2 privkey)" = '1 1 1' ] || fail "private keys: $(count_with_far tw-2 privkey)"
    asks p11 --delete-object --type privkey --id 6363
    approve "$ID" custodian-1 custodian-2
    must p11 --delete-object --type privkey --id 6363
    ends 1 "$Q" receipt import "$D/receipt-2"
    says 'ended, or became another'
    ends 1 "$Q" settle
    must "$Q" log show --type rolled-back
    says 'the key ended'
    must "$Q" offer export glasgow "$D/out4"
    must far "$Q" accept "$D"/out4/withdraw-*.message --out "$D/withdrawn"
    must "$Q" receipt import "$D/withdrawn"
    says withdrawn
    [ "$(count_with_far tw-2 privkey)" = '0 0 0' ] || fail "private keys: $(count_with_far tw-2 privkey)"
    must "$Q" settle
    small_ceremony after host '!goes to glasgow'
    small_ceremony there far
}

cases
