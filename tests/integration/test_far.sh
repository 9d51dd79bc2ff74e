#!/bin/bash
# A site that is elsewhere: introduced, enrolled by a file, judging every message by itself.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/far.sh
. tests/integration/far.sh
FROM=bare

# What is pinned is what people approved there, and what the host shows.
case_introduced_and_enrolled() {
    LATER=1 prepare_far '{carried: true}'
    ends 1 "$Q" enrol glasgow
    says 'quorate policy export glasgow FILE' 'quorate enrol glasgow --carried'
    must "$Q" status
    matches 'root at glasgow is not enrolled +quorate enrol glasgow --token root'
    must "$Q" policy export glasgow "$D/policy.message"
    ends 1 far "$Q" introduce "$D/policy.message" --out "$D/introduction.json"
    must far "$Q" status --offline --json
    says '"attention":[{"next":"quorate request list","text":"1 request waits for people"}]'
    far_introduce
    far_enrol
    must "$Q" status
    says '(test): 0 keys, 2 of 3 HSMs ready' 'Nothing needs attention.'
    must far "$Q" status --offline
    says 'root at glasgow, a site of another estate' 'nothing yet'
    ! grep -q 'At risk' <<<"$OUT" || fail 'what is at risk is for the host to say'
    must "$Q" log show --type site-enrolled
    says glasgow
    must far "$Q" log show --type introduced
    must far "$Q" log check
}

# The intent that offers of this key are named by.
offers_of() {
    "$Q" log show --type intent --json | grep '"operation":"generate"' | grep "\"label\":\"$1\"" | tail -n 1 |
        sed 's/.*"seq":\([0-9]*\).*/\1/'
}

# How many transport keys the HSM of glasgow holds.
far_transports() {
    far_listed 'quorate:transport$' privkey
}

# $1: label, then more. A birth that waits for glasgow's receipt.
provisional() {
    asks generate EC:secp384r1 "$@"
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:secp384r1 "$@"
    must "$Q" status
    matches "provisional +intent .*$1.* receipt awaited from glasgow until"
    matches 'to be carried to glasgow +quorate offer export glasgow DIR'
}

# Offers, a spare one, receipts and what is told, all by hand.
case_carried() {
    prepare_far '{carried: true}'
    provisional app-1 --id 6162
    # Another key would be found by the same CKA_ID once both are born.
    ends 1 generate EC:secp384r1 app-other --id 6162
    must "$Q" log show --type refused
    says 'whose birth waits for receipts'
    must p11 --list-objects --type privkey
    ! grep -q app-1 <<<"$OUT" || fail 'a provisional key is shown'
    must "$Q" inventory
    says provisional
    ends 1 generate EC:secp384r1 app-1
    small_ceremony before host 'is provisional until'
    must "$Q" offer export glasgow "$D/out"
    [ "$(ls "$D/out" | wc -l)" = 2 ] || fail 'not two offers'
    # The same once more; but nothing of another site, or of somebody's, is overwritten.
    must "$Q" offer export glasgow "$D/out"
    mkdir "$D/taken"
    sed 's/"site":"glasgow"/"site":"leeds"/g' "$(ls "$D"/out/offer-*-2.message)" >"$D/taken/$(basename "$D"/out/offer-*-2.message)"
    ends 1 "$Q" offer export glasgow "$D/taken"
    says 'is nothing for root at glasgow: export to another folder'
    grep -q '"site":"leeds"' "$D"/taken/offer-*-2.message || fail 'overwritten'
    must far "$Q" accept "$D"/out/offer-*-2.message --out "$D/receipt"
    [ "$(far_keys app-1)" = 1 ] || fail 'glasgow has not taken the key in'
    # There it is held against what that site knows of the host's log, and asked about nothing that is the host's.
    must far "$Q" inventory
    matches 'provisional +private-key +app-1'
    ends 1 far "$Q" enrol glasgow
    says 'is the home of root at glasgow, a site of another estate'
    # The other offer is not taken; the same again gives the same receipt.
    ends 1 far "$Q" accept "$D"/out/offer-*-1.message --out "$D/refusal"
    says 'another offer of this birth'
    must far "$Q" accept "$D"/out/offer-*-2.message --out "$D/again"
    must cmp "$D/receipt" "$D/again"
    [ "$(far_keys app-1)" = 1 ] || fail 'taken in twice'
    # What is no receipt, and what is another's.
    ends 1 "$Q" receipt import "$D/refusal"
    says 'glasgow refuses'
    ends 1 "$Q" receipt import "$D/introduction.json"
    sed 's/"nonce":"./"nonce":"0/; s/"nonce":"0\(.\)/"nonce":"0\1/' "$D/receipt" >"$D/altered"
    cmp -s "$D/receipt" "$D/altered" || ends 1 "$Q" receipt import "$D/altered"
    must "$Q" receipt import "$D/receipt"
    says born
    ends 1 "$Q" receipt import "$D/receipt"
    says 'has ended'
    OUT=$(p11 --list-objects --type privkey)
    says app-1
    must "$Q" settle
    says 'yet to be told'
    must "$Q" offer export glasgow "$D/out2"
    must far "$Q" accept "$D"/out2/born-*.message --out "$D/told"
    [ "$(far_transports)" = 2 ] || fail 'the HSM has not made its next transport key'
    must far "$Q" inventory
    matches 'key +private-key +app-1'
    says 'Everything is as the log says.'
    must far direct glasgow --keypairgen --key-type EC:secp256r1 --label app-secretly --id 6163
    ends 1 far "$Q" inventory
    matches 'unknown +private-key +app-secretly'
    must far direct glasgow --delete-object --type privkey --id 6163
    # Another one than the site vouches for, and a signature of another key.
    sed 's/\("transport":"[0-9a-f]*\)[0-9a-f]"/\1f"/' "$D/told" >"$D/altered"
    ends 1 "$Q" receipt import "$D/altered"
    says 'the next transport key of root at glasgow'
    must "$Q" receipt import "$D/told"
    says told
    must "$Q" log show --type transport-renewed
    says glasgow
    must "$Q" settle
    says 'Nothing was left half done'
    ends 1 "$Q" receipt import "$D/told"
    must "$Q" offer export glasgow "$D/out3"
    says 'Nothing is to be carried'
    small_ceremony after host '!is provisional'
    small_ceremony there far
    must tests/tamper.py "$D/after" --trust "$D/after.trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" \
        --kinds renewed,deferred
    says '16 changes in all'
    must tests/tamper.py "$D/there" --trust "$D/there.trust.yaml" --log-key "$FAR/home/log/key" --quorate "$Q" --kinds far
    says '32 changes in all'
    # The next birth is not kept waiting, goes by the next transport key, and the messages of old are worth nothing.
    provisional app-2
    first=$(offers_of app-2)
    provisional app-3
    must "$Q" offer export glasgow "$D/out4"
    must far "$Q" accept "$D"/out4/offer-"$first"-1.message --out "$D/receipt-2"
    [ "$(far_transports)" = 1 ] || fail 'the transport key of before is not destroyed'
    must "$Q" receipt import "$D/receipt-2"
    says born
    ends 1 "$Q" receipt import "$D/told"
    # What was wrapped for a key before its renewal is taken in after it, and keeps it there until then.
    must "$Q" offer export glasgow "$D/out5"
    must far "$Q" accept "$D"/out5/born-*.message --out "$D/told-2"
    must "$Q" receipt import "$D/told-2"
    must "$Q" offer export glasgow "$D/out6"
    must far "$Q" accept "$D"/out6/offer-*-2.message --out "$D/receipt-3"
    [ "$(far_transports)" = 2 ] || fail 'the key that an offer needs is not there'
    must "$Q" receipt import "$D/receipt-3"
    says born
    ends 1 far "$Q" accept "$D"/out/offer-*-2.message
    says 'older than what this site has seen'
}

# A secret key goes there likewise; the site's word is its receipt.
case_a_secret_key() {
    far_policy() {
        sed -i '/^  - id: birth of an application secret key$/,/extractable/ s/prove: attest/&, deferred: 1 hour/' "$D/policy.yaml"
    }
    aes() {
        p11 --keygen --key-type AES:32 --label app-aes --sensitive --private
    }
    prepare_far '{carried: true}'
    asks aes
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 aes
    must "$Q" offer export glasgow "$D/out"
    must far "$Q" accept "$D"/out/offer-*-1.message --out "$D/receipt"
    must "$Q" receipt import "$D/receipt"
    says born
    [ "$(count_with_far app-aes secrkey)" = '1 1 1' ] || fail "secret keys: $(count_with_far app-aes secrkey)"
    small_ceremony after host '!is provisional'
}

# Nobody came back in time: the key goes, and what may be at the site has to be answered for.
case_too_late() {
    prepare_far '{carried: true}'
    provisional app-brief
    must "$Q" offer export glasgow "$D/out"
    [ "$(ls "$D"/out/offer-*.message | wc -l)" = 4 ] || fail 'not three spare offers'
    must far "$Q" accept "$D"/out/offer-*-1.message --out "$D/receipt"
    sleep 9
    ends 1 "$Q" receipt import "$D/receipt"
    says 'receipts were awaited until'
    ends 1 "$Q" settle
    says 'could not be destroyed'
    must "$Q" log show --type rolled-back
    says 'did not come in time'
    [ "$(count_listed app-brief direct slough --type privkey)" = 0 ] || fail 'the key is there still'
    ends 1 "$Q" receipt import "$D/receipt"
    says 'has ended'
    # Births wait until glasgow has answered.
    ends 1 generate EC:secp384r1 app-2
    must "$Q" status
    says 'orphans at glasgow'
    must "$Q" offer export glasgow "$D/out2"
    must far "$Q" accept "$D"/out2/withdraw-*.message --out "$D/answer"
    [ "$(far_keys app-brief)" = 0 ] || fail 'glasgow has kept the key'
    must "$Q" receipt import "$D/answer"
    says withdrawn
    provisional app-2
}

# A ceremony in which the key $2 is made and does $3 (issue-certificate or make-csr, by profile $4). $1: the script.
key_script() {
    mkdir -p "$D/profiles"
    cp ceremonies/profiles/*.yaml "$D/profiles"
    cat >"$1" <<SCRIPT
ceremony: A key and its certificate
id: root-oca-key-generation
roles:
  administrator: {of: ceremony-administrator}
  custodian: {of: key-custodian, at-least: 3}
acts:
  - act: All of it
    steps:
      - {step: Enter., by: administrator, do: enter}
      - {step: Enter., by: each custodian, do: enter}
      - {step: Approve., by: 3 custodian, do: approve, for: key}
      - {step: Generate., by: administrator, do: generate-key-pair, saves: key, with: {token: root, label: $2, type: "EC:P-256"}}
      - {step: Approve., by: 3 custodian, do: approve, for: signed}
      - {step: Sign., by: administrator, do: $3, saves: signed, with: {token: root, label: $2, profile: $4}}
      - {step: Attest., by: administrator, do: attest, with: {statement: I was here.}}
      - {step: Close., by: administrator, do: close}
SCRIPT
    {
        printf 'people: {administrator: administrator, custodian: [custodian-1, custodian-2, custodian-3]}\nkeys:\n'
        printf '  %s: people/%s.uri\n' administrator administrator custodian-1 custodian-1 custodian-2 custodian-2 \
            custodian-3 custodian-3
        printf 'answers: {}\n'
    } >"$D/key.answers.yaml"
    asks "$Q" run "$1" --answers "$D/key.answers.yaml"
    approve "$ID" authority-1 authority-2
}

# A provisional key signs its own certificate in the ceremony that made it, and nothing else; what it signed is unreleased
# until it is born.
case_self_signed() {
    far_policy() {
        sed -i '/^  - id: birth of a CA key$/,/extractable/ s/prove: signature/&, deferred: 1 hour, spares: 0, provisional-use: [self-sign]/' \
            "$D/policy.yaml"
    }
    prepare_far '{carried: true}'
    key_script "$D/first.yaml" root-g1 issue-certificate root-oca
    must "$Q" run "$D/first.yaml" --answers "$D/key.answers.yaml"
    says 'Provisional: root-g1, public key' 'The receipt of glasgow'
    must "$Q" log show --type artifact
    [ "$("$Q" log show --type artifact --json | grep -c '"awaits":')" = 1 ] || fail 'the certificate does not say what it awaits'
    must p11 --list-objects --type privkey
    ! grep -q root-g1 <<<"$OUT" || fail 'a provisional key is shown'
    transcript_of 1 'is provisional until' 'is unreleased: its key'
    must tests/tamper.py "$D/transcript-1" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" --kinds carried
    says '18 changes in all'
    must "$Q" offer export glasgow "$D/out"
    [ "$(ls "$D"/out/offer-*.message | wc -l)" = 1 ] || fail 'a spare offer that the rule does not want'
    must far "$Q" accept "$D"/out/offer-*-1.message --out "$D/receipt"
    must "$Q" receipt import "$D/receipt"
    says born
    small_ceremony after host 'is released: its key' '!is unreleased'
    # A CSR is no certificate of its own: the HSM is not asked, and nobody to approve it.
    key_script "$D/second.yaml" root-g2 make-csr root-oca
    ends 1 "$Q" run "$D/second.yaml" --answers "$D/key.answers.yaml"
    says 'the key is provisional, and what is to be signed is no certificate'
    [ "$("$Q" log show --type used | grep -c root-g2)" = 0 ] || fail 'the key was used'
}

transcript_of() {
    local n=$1 text
    shift
    estate_trust
    must "$Q" transcript "root-oca-key-generation-$n" "$D/transcript-$n"
    must "$Q" verify "$D/transcript-$n" --trust "$D/trust.yaml"
    small_says "$@"
    must tests/verify.py "$D/transcript-$n" --trust "$D/trust.yaml"
    small_says "$@"
}

# No rule that says `deferred`: a site that files are carried to takes no part.
case_not_deferred() {
    far_policy() { :; }
    prepare_far '{carried: true}'
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:secp384r1 app-1
    must "$Q" log show --type refused
    says 'does not say'
    ! "$Q" log show --type intent | grep -q generate || fail 'a birth began'
}

cases
