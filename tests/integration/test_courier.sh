#!/bin/bash
# A replica site that a courier's command reaches: births, their ends, and couriers that do what they should not.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/far.sh
. tests/integration/far.sh
FROM=bare

# The courier that far.sh writes, with what $D/mode says between it and the site: it reads the message first.
courier_with_modes() {
    local folder
    folder=$(cd "$D" && pwd)
    mv "$D/courier" "$D/honest"
    cat >"$D/courier" <<COURIER
#!/bin/bash
cd $folder || exit 9
cat >brought
kind=\$(head -n 1 brought | grep -aoE '"type":"quorate/message/[a-z]+/v1"' | cut -d/ -f3)
echo "\$kind" >>kinds
read -r when what <mode
[ "\$when" = "\$kind" ] || what=
case \$what in
hang) sleep 600 ;;
rubbish) echo '{"type": "quorate/answer' ;;
silent) : ;;
status) ./honest <brought; exit 3 ;;
flood) yes ;;
dies) kill -9 \$\$ ;;
lost) ./honest <brought >/dev/null; exit 1 ;;
denies) ./honest <brought | sed 's/"outcome":"destroyed"/"outcome":"withdrawn"/' ;;
keep) ./honest <brought | tee kept ;;
replay) cat kept ;;
swap) sed -E '1s/("wrapped-key":"[0-9a-f]{64})[0-9a-f]{4}/\1beef/' brought | ./honest ;;
readdress) sed '1s/"challenge":"..../"challenge":"0000/' brought | ./honest ;;
foreign) ./honest <brought | sed -E 's/("(signature|answer)":")[0-9a-f]{4}/\1beef/' ;;
*) ./honest <brought ;;
esac
COURIER
    chmod 700 "$D/courier"
    mode none
}

mode() {
    echo "$@" >"$D/mode"
}

# A site with an estate of its own behind that courier, enrolled by it.
prepare_courier() {
    sed -i 's/{id: glasgow, /{id: glasgow, answer-within: 8 seconds, /' "$D/policy.yaml"
    grep -q 'answer-within' "$D/policy.yaml" || fail 'the policy gives glasgow no time'
    far_hsm
    far_bound "{courier: [$(cd "$D" && pwd)/courier]}"
    must "$Q" init --environment test
    policy_adopted
    local site
    for site in slough cardiff; do
        site_enrolled "$site"
    done
    far_introduce
    courier_with_modes
    must "$Q" status
    matches 'glasgow.*not-enrolled|not enrolled'
    [ -n "${LATER:-}" ] || courier_enrols
}

courier_enrols() {
    site_enrolled glasgow
}

# No key at all, nothing that waits for anybody: label.
nothing_left() {
    [ "$(count_with_far "$1" privkey)" = '0 0 0' ] || fail "$MODE: private keys: $(count_with_far "$1" privkey)"
    [ "$(count_with_far "$1" pubkey)" = '0 0 0' ] || fail "$MODE: public keys: $(count_with_far "$1" pubkey)"
    must "$Q" settle --json
    says '"settled":[]'
    must "$Q" log check
    must far "$Q" log check
}

case_born_there() {
    prepare_courier
    must "$Q" status --json
    matches '"answers":"ready","hardware":"attested-by-people","place":"glasgow"'
    born EC:secp384r1 app-1 --id 6162
    [ "$(count_with_far app-1 privkey)" = '1 1 1' ] || fail "private keys: $(count_with_far app-1 privkey)"
    must "$Q" log show --type receipt
    says glasgow
    must "$Q" log show --type accepted
    must far "$Q" log show --type settled
    says born
    OUT=$(far direct glasgow --list-objects --type privkey)
    matches 'ID: +6162'
    # The site's key signs, and what it signs verifies with the public key that the primary shows.
    echo 'the same message' >"$D/message"
    p11tool --export "pkcs11:token=root-slough;object=app-1;type=public" >"$D/app-1.pub" 2>/dev/null
    must far openssl dgst -sha256 -engine pkcs11 -keyform engine -out "$D/far.sig" \
        -sign "pkcs11:token=root-glasgow;object=app-1;type=private?pin-value=$(pin glasgow)" "$D/message"
    must openssl dgst -sha256 -verify "$D/app-1.pub" -signature "$D/far.sig" "$D/message"
    says 'Verified OK'
    # Only what the site had not seen travels.
    grep -qaE '"from":[1-9][0-9]*,' "$D/brought" || fail 'the whole log travelled again'
}

# Secret keys, and the other kinds of pairs, go there too; of a secret key the site says that it has it.
case_kinds() {
    sed -i 's/types: \[AES:128, AES:256\]/types: [AES:128, AES:256, GENERIC:256]/' "$D/policy.yaml"
    prepare_courier
    local type
    for type in AES:32 GENERIC:32; do
        asks p11 --keygen --key-type "$type" --label "app-$type" --sensitive --private
        approve "$ID" custodian-1 custodian-2 custodian-3
        must p11 --keygen --key-type "$type" --label "app-$type" --sensitive --private
        [ "$(count_with_far "app-$type" secrkey)" = '1 1 1' ] || fail "$type: $(count_with_far "app-$type" secrkey)"
    done
    for type in EC:secp521r1 rsa:3072; do
        born "$type" "app-$type"
        [ "$(count_with_far "app-$type" privkey)" = '1 1 1' ] || fail "$type: $(count_with_far "app-$type" privkey)"
    done
    must "$Q" drill root glasgow --json
    says '"attested":2' '"proven":4'
    must "$Q" inventory
    must far direct glasgow --delete-object --type secrkey --label app-AES:32
    ends 1 "$Q" drill root glasgow
    says app-AES:32
    ends 1 "$Q" inventory
    matches 'missing +secret-key +app-AES:32'
    small_ceremony several host
    small_ceremony there far
}

# A drill goes there too: the site proves what the log says that it holds, and nothing but its own fresh answer counts.
case_drilled_there() {
    prepare_courier
    born EC:secp384r1 app-1 --id 6162
    mode drill keep
    must "$Q" drill
    says 'root at glasgow: proven, 1 key' 'Every replica proved itself.'
    must "$Q" status
    matches 'root +glasgow .*drilled 20'
    for MODE in replay readdress foreign rubbish silent lost; do
        mode drill "$MODE"
        ends 1 "$Q" drill root glasgow
        says 'root at glasgow: absent'
    done
    # Its HSM moves, and answers where it is then: by its own fresh answer too.
    must "$Q" move root glasgow --bag TEB-1
    for MODE in replay readdress foreign rubbish silent lost; do
        mode challenge "$MODE"
        ! "$Q" arrive root glasgow --bag TEB-1 >/dev/null 2>&1 || fail "$MODE: it arrived"
    done
    mode none
    must "$Q" arrive root glasgow --bag TEB-1
    says 'root at glasgow: arrived'
    must "$Q" log show --json --type arrived
    matches '"answer":"[0-9a-f]+","bag":"TEB-1","challenge"'
    must far direct glasgow --delete-object --type privkey --label app-1
    ends 1 "$Q" drill root glasgow
    says 'root at glasgow: failed' 'no such key'
    small_ceremony drilled host
    must "$Q" log check
}

# What lies there is held against the log both ways, by the site's own signed list; no other list counts.
case_listed_there() {
    prepare_courier
    born EC:secp384r1 app-1 --id 6162
    mode inventory keep
    must "$Q" inventory
    says 'root at glasgow: looked-at' 'Everything is as the log says.'
    [ "$(grep -cE 'key +private-key +app-1' <<<"$OUT")" = 3 ] || fail 'not three replicas'
    for MODE in replay readdress foreign rubbish silent lost; do
        mode inventory "$MODE"
        ends 1 "$Q" inventory
        says 'root at glasgow: absent' 'root at cardiff: looked-at' '1 thing is not'
    done
    mode none
    must far direct glasgow --delete-object --type pubkey --label app-1
    must far direct glasgow --keypairgen --key-type EC:secp256r1 --label app-secretly --id 6162
    ends 1 "$Q" inventory
    matches 'unknown +private-key +app-secretly +6162'
    matches 'unknown +public-key +app-secretly +6162'
    matches 'missing +public-key +app-1'
    must far direct glasgow --delete-object --type privkey --label app-1
    ends 1 "$Q" inventory --json
    matches '"missing":\[\{"class":"private-key","id":"6162","label":"app-1"\}'
}

# Each of these ends the birth with nothing left anywhere, and the same request is born once the courier is honest.
case_couriers_that_harm_nothing() {
    local label=app-2
    prepare_courier
    asks generate EC:secp384r1 "$label"
    approve "$ID" custodian-1 custodian-2 custodian-3
    for MODE in 'challenge rubbish' 'challenge silent' 'challenge flood' 'challenge status' 'challenge dies' \
        'challenge readdress' 'offer rubbish' 'offer silent' 'offer flood' 'offer dies' 'offer lost' 'offer status' \
        'offer swap' 'offer foreign'; do
        mode "$MODE"
        ends 1 generate EC:secp384r1 "$label"
        mode none
        nothing_left "$label"
    done
    MODE='challenge keep'
    mode "$MODE"
    must "$Q" status
    MODE='challenge replay'
    mode "$MODE"
    ends 1 generate EC:secp384r1 "$label"
    must "$Q" status
    says 'an old one comes again'
    mode none
    nothing_left "$label"
    must generate EC:secp384r1 "$label"
    [ "$(count_with_far "$label" privkey)" = '1 1 1' ] || fail "private keys: $(count_with_far "$label" privkey)"
}

# One that hangs costs its time and no more; while it cannot be told what became of a key, no other is born.
case_a_courier_that_hangs() {
    local label=app-3
    prepare_courier
    asks generate EC:secp384r1 "$label"
    approve "$ID" custodian-1 custodian-2 custodian-3
    MODE='offer hang'
    mode "$MODE"
    ends 1 generate EC:secp384r1 "$label"
    must "$Q" log show --type rolled-back
    says 'did not answer in time'
    mode none
    nothing_left "$label"

    # What it brought arrived, its answer did not; then it is away altogether.
    MODE='offer lost'
    mode "$MODE"
    mv "$D/honest" "$D/away"
    sed -i 's|^lost) .*|lost) ./away <brought >/dev/null; rm honest; exit 1 ;;|' "$D/courier"
    printf '#!/bin/sh\nexec ./away\n' >"$D/honest"
    chmod 700 "$D/honest"
    ends 1 generate EC:secp384r1 "$label"
    must "$Q" log show --type orphan
    says glasgow
    [ "$(count_with_far "$label" privkey)" = '0 0 1' ] || fail "private keys: $(count_with_far "$label" privkey)"
    ends 1 "$Q" settle
    says glasgow
    ends 1 generate EC:secp384r1 "$label"
    # It is back.
    mv "$D/away" "$D/honest"
    mode none
    must "$Q" settle
    nothing_left "$label"
    must generate EC:secp384r1 "$label"
    [ "$(count_with_far "$label" privkey)" = '1 1 1' ] || fail "private keys: $(count_with_far "$label" privkey)"
}

# A key that was born before the site was there comes by the same courier; the site judges it by itself.
case_brought_there_later() {
    policy_travelling ''
    LATER=1 prepare_courier
    born EC:prime256v1 tw-1 --id 6162
    [ "$(count_with_far tw-1 privkey)" = '1 1 0' ] || fail "private keys: $(count_with_far tw-1 privkey)"
    courier_enrols
    asks "$Q" replicate root tw-1 glasgow
    approve "$ID" authority-1 authority-2
    # Another key than the one logged, an answer that is lost: undone, and the approvals hold.
    mode offer swap
    ends 1 "$Q" replicate root tw-1 glasgow
    says 'another key'
    mode offer lost
    ends 2 "$Q" replicate root tw-1 glasgow
    mode none
    must "$Q" settle
    [ "$(count_with_far tw-1 privkey)" = '1 1 0' ] || fail "private keys: $(count_with_far tw-1 privkey)"
    must "$Q" replicate root tw-1 glasgow
    says 'replicated'
    [ "$(count_with_far tw-1 privkey)" = '1 1 1' ] || fail "private keys: $(count_with_far tw-1 privkey)"
    OUT=$(far direct glasgow --list-objects --type privkey)
    matches 'ID: +6162'
    must far "$Q" log show --type settled
    says born withdrawn
    must "$Q" drill root glasgow
    says 'root at glasgow: proven'
    must "$Q" replicate root tw-1 glasgow
    says 'held already'
    must "$Q" log check
    must far "$Q" log check
}

# What people end goes there too: the site signs that the key is gone, and counts as left until it has.
case_ended_there() {
    policy_first '  - id: end of an application key
    when: {operation: destroy, token: root, label: "^app-", class: private-key}
    require: {quorum: {of: key-custodian, at-least: 2}}'
    prepare_courier
    born EC:prime256v1 app-1 --id 0101
    born EC:prime256v1 app-2 --id 0202
    mode withdraw keep
    asks p11 --delete-object --type privkey --id 0101
    approve "$ID" custodian-1 custodian-2
    must p11 --delete-object --type privkey --id 0101
    [ "$(count_with_far app-1 privkey)" = '0 0 0' ] || fail "private keys: $(count_with_far app-1 privkey)"
    must "$Q" log show --json --type destroyed
    says '"sites":["slough","cardiff","glasgow"]'
    ! grep -q '"left"' <<<"$OUT" || fail 'a site is left'
    must far "$Q" log show --type settled
    says destroyed
    # The courier dies: it is over here, left there, and nobody else gets its CKA_ID meanwhile.
    mode withdraw dies
    asks p11 --delete-object --type privkey --id 0202
    approve "$ID" custodian-1 custodian-2
    must p11 --delete-object --type privkey --id 0202
    [ "$(count_with_far app-2 privkey)" = '0 0 1' ] || fail "private keys: $(count_with_far app-2 privkey)"
    must "$Q" log show --json --type destroyed
    says '"left":["glasgow"]' '"sites":["slough","cardiff"]'
    ends 1 generate EC:prime256v1 app-3 --id 0202
    # Neither the answer about another key, nor one that says or signs something else, proves anything.
    for MODE in replay denies foreign rubbish silent lost; do
        mode withdraw "$MODE"
        must "$Q" settle
        says 'left at glasgow'
    done
    must "$Q" status --offline
    says 'destroyed  "app-2" of root, left at glasgow'
    must "$Q" log show --type cleared
    ! grep -q glasgow <<<"$OUT" || fail 'a lie was believed'
    mode none
    must "$Q" settle
    matches 'key app-2 +destroyed at glasgow'
    [ "$(count_with_far app-2 privkey)" = '0 0 0' ] || fail "private keys: $(count_with_far app-2 privkey)"
    must "$Q" log show --json --type cleared
    says '"sites":["glasgow"]'
    must "$Q" settle --json
    says '"settled":[]'
    must "$Q" log check
    must far "$Q" log check
    must "$Q" status --offline
    says 'generate "app-3" root: CKA_ID 0202 is that of "app-2" on root, which is destroyed but left at glasgow'
    ! grep -q 'destroyed  "app-2"' <<<"$OUT" || fail 'still listed'
    asks generate EC:prime256v1 app-3 --id 0202
    small_ceremony ends host
    small_ceremony there far
}

# What a rule plainly allows ends there too, where the policy that the site follows says the same.
case_ended_freely() {
    local rule='  - {id: end of a key, when: {operation: destroy, token: root, label: "^app-"}, allow: true}'
    RULES=$rule awk '/^  - id: use of an application key$/ { print ENVIRON["RULES"] } { print }' "$D/policy.yaml" >"$D/policy.new"
    mv "$D/policy.new" "$D/policy.yaml"
    prepare_courier
    born EC:prime256v1 app-1 --id 0101
    born EC:prime256v1 app-2 --id 0202
    must p11 --delete-object --type privkey --id 0101
    [ "$(count_with_far app-1 privkey) $(count_with_far app-1 pubkey)" = '0 0 0 0 0 0' ] || fail 'not destroyed everywhere'
    must "$Q" log show --json --type cleared
    says '"sites":["slough","cardiff","glasgow"]'
    must far "$Q" log show --type settled
    says destroyed
    mode end dies
    must p11 --delete-object --type privkey --id 0202
    must "$Q" status --offline
    says 'destroyed  "app-2" of root, left at glasgow'
    ends 1 "$Q" inventory root glasgow
    matches 'left +private-key +app-2 +0202'
    matches 'left +public-key +app-2 +0202'
    says '2 things are not'
    for MODE in denies foreign lost; do
        mode end "$MODE"
        must "$Q" settle
        says 'left at glasgow'
    done
    # Meanwhile the rule is another: the site says so, and nothing is done.
    mode none
    sed -i 's/^version: 1$/version: 2/; /^  - {id: end of a key/d' "$D/policy.yaml"
    asks "$Q" policy adopt "$D/policy.yaml"
    approve "$ID" authority-1 authority-2
    must "$Q" policy adopt "$D/policy.yaml"
    must "$Q" settle
    says 'left at glasgow' 'no rule of the policy in force lets the key "app-2" be destroyed'
    awk -v rule="$rule" '/^  - id: use of an application key$/ { print rule } { print }' "$D/policy.yaml" |
        sed 's/^version: 2$/version: 3/' >"$D/policy.new"
    mv "$D/policy.new" "$D/policy.yaml"
    asks "$Q" policy adopt "$D/policy.yaml"
    approve "$ID" authority-1 authority-2
    must "$Q" policy adopt "$D/policy.yaml"
    must "$Q" settle
    matches 'key app-2 +destroyed at glasgow'
    must "$Q" settle --json
    says '"settled":[]'
    must far "$Q" log check
}

# A site that retires destroys what it held by itself, and signs that with the key that it was enrolled with.
case_retires() {
    prepare_courier
    born EC:prime256v1 app-1 --id 0101
    born EC:prime256v1 app-2 --id 0202
    mode withdraw dies
    asks "$Q" retire root glasgow
    approve "$ID" authority-1 authority-2
    must "$Q" retire root glasgow
    says 'root at glasgow: retired' 'not destroyed yet'
    for MODE in denies foreign lost; do
        mode withdraw "$MODE"
        must "$Q" settle
        must "$Q" status --offline
        says 'orphans at glasgow'
    done
    [ "$(count_with_far app-1 privkey) $(count_with_far app-2 privkey)" = '1 1 0 1 1 0' ] || fail 'not destroyed there'
    mode none
    must "$Q" settle
    says finished
    must "$Q" settle --json
    says '"settled":[]'
    must "$Q" status --offline
    ! grep -q orphans <<<"$OUT" || fail 'still listed'
    must far "$Q" log check
    small_ceremony retired host
    small_ceremony there far
}

cases
