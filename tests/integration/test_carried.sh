#!/bin/bash
# What is asked of a site that files are carried to once keys live there: drills, inventories, ends.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/far.sh
. tests/integration/far.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh
FROM=bare

# What goes there now, into $D/out, and nothing but these kinds: the rest of the arguments.
exported() {
    rm -rf "$D/out"
    must "$Q" offer export glasgow "$D/out"
    [ "$(find "$D/out" -name '*.message' -printf '%f\n' | sed 's/-.*//' | sort | xargs)" = "$*" ] ||
        fail "not exactly $*: $(ls "$D/out")"
}

# The site's answer to what was exported of this kind, as $D/KIND.
accepted() {
    must far "$Q" accept "$D"/out/"$1"-*.message --out "$D/$1"
    says "quorate receipt import $D/$1"
    matches "answers +$1"
}

# A key is born here and there: label, its id.
carried_born() {
    asks generate EC:prime256v1 "$1" --id "$2"
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:prime256v1 "$1" --id "$2"
    exported offer
    accepted offer
    must "$Q" receipt import "$D/offer"
    exported born
    accepted born
    must "$Q" receipt import "$D/born"
}

one_offer() {
    far_policy() {
        sed -i '/^  - id: birth of an application key pair$/,/extractable/ s/prove: signature/&, deferred: 1 hour, spares: 0/' \
            "$D/policy.yaml"
    }
    prepare_far '{carried: true}'
}

case_drilled() {
    local open=$D/estate/inquiries/root@glasgow.drill.json kept
    one_offer
    carried_born app-1 6162
    ends 1 "$Q" drill
    says 'root at cardiff: proven' 'root at glasgow: asked' 'offer export glasgow' 'answers that files carry are awaited'
    ! "$Q" log show --type drill | grep -q glasgow || fail 'what is only asked is logged'
    must "$Q" status --offline
    says 'Carried by people'
    matches 'drill +root at glasgow +until 20'
    # Asked again it is the same question.
    kept=$(sha256sum <"$open")
    ends 1 "$Q" drill root glasgow
    [ "$kept" = "$(sha256sum <"$open")" ] || fail 'another question'
    exported drill
    accepted drill
    sed -E 's/(,"signature":"[0-9a-f]{8})[0-9a-f]{4}/\1beef/2' "$D/drill" >"$D/altered"
    cmp -s "$D/drill" "$D/altered" && sed -E 's/(,"signature":"[0-9a-f]{8})[0-9a-f]{4}/\1beef/' "$D/drill" >"$D/altered"
    ends 1 "$Q" receipt import "$D/altered"
    says 'identity signature of root at glasgow'
    sed 's/"site":"glasgow"/"site":"cardiff"/g' "$D/drill" >"$D/altered"
    ends 1 "$Q" receipt import "$D/altered"
    says 'no drill of root at cardiff is asked for'
    cp "$open" "$D/open"
    sed -i 's/"made":"2[0-9]*/"made":"2020/' "$open"
    ends 1 "$Q" receipt import "$D/drill"
    says 'an answer counts until'
    cp "$D/open" "$open"
    must "$Q" receipt import "$D/drill"
    says 'root at glasgow: proven, 1 key'
    must "$Q" log show --type drill
    says glasgow
    must "$Q" status --offline
    matches 'root +glasgow .*drilled 20'
    ! grep -q 'Carried by people' <<<"$OUT" || fail 'still awaited'
    ends 1 "$Q" receipt import "$D/drill"
    says 'nobody waits for it'
    # A death after the entry: it is not logged twice.
    cp "$D/open" "$open"
    ends 1 "$Q" receipt import "$D/drill"
    says 'the log has this answer'
    [ "$("$Q" log show --type drill | grep -c glasgow)" = 1 ] || fail 'logged twice'
    # An old answer to a new question; then the key is gone there.
    ends 1 "$Q" drill root glasgow
    ends 1 "$Q" receipt import "$D/drill"
    says 'for another challenge'
    must far direct glasgow --delete-object --type privkey --label app-1
    exported drill
    accepted drill
    ends 1 "$Q" receipt import "$D/drill"
    says 'root at glasgow: failed' 'not proven'
    small_ceremony drilled host
}

# A rule that wants fresh sites counts one that files are carried to from the drill that they carried.
case_fresh() {
    far_policy() {
        sed -i '/^  - id: birth of an application key pair$/,/extractable/ s/prove: signature/&, deferred: 1 hour, fresh: 6 months/' \
            "$D/policy.yaml"
    }
    prepare_far '{carried: true}'
    asks generate EC:prime256v1 app-1
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:prime256v1 app-1
    ! "$Q" log show --type intent | grep -q generate || fail 'a birth began'
    must "$Q" status
    matches 'root at glasgow is due for a drill +quorate drill root glasgow'
    ends 1 "$Q" drill
    exported drill
    accepted drill
    must "$Q" receipt import "$D/drill"
    ends 1 generate EC:prime256v1 app-1
    must "$Q" status
    matches 'provisional +intent .*app-1.* receipt awaited from glasgow until'
    ! grep -q 'due for a drill' <<<"$OUT" || fail 'still due'
}

# Its HSM moves: what arrives answers a challenge that files carry, in the bag that it left in, once.
case_moves() {
    local open=$D/estate/inquiries/root@glasgow.challenge.json
    one_offer
    ends 1 "$Q" arrive root glasgow --bag TEB-1
    says 'has not left'
    must "$Q" move root glasgow --bag TEB-1
    ends 1 "$Q" arrive root glasgow
    says 'say the number'
    ends 1 "$Q" arrive root glasgow --bag TEB-2
    says 'another bag'
    ends 1 "$Q" arrive root glasgow --bag TEB-1 --received-by custodian-2 --elsewhere 48.86,2.35
    says 'root at glasgow: asked' 'offer export glasgow'
    must "$Q" status --offline
    matches 'challenge +root at glasgow +until 20'
    matches 'root +glasgow .*on its way'
    matches 'root at glasgow is on its way +quorate arrive root glasgow --bag NUMBER'
    exported challenge
    accepted challenge
    # Said otherwise it is another question, which no older answer is for.
    ends 1 "$Q" arrive root glasgow --bag TEB-1 --received-by custodian-2 --safe GLA-1
    ends 1 "$Q" receipt import "$D/challenge"
    says 'another challenge'
    exported challenge
    accepted challenge
    sed -E 's/("answer":"[0-9a-f]{8})[0-9a-f]{4}/\1beef/' "$D/challenge" >"$D/altered"
    ends 1 "$Q" receipt import "$D/altered"
    says 'does not answer with its identity key'
    ends 1 "$Q" receipt import "$D/introduction.json"
    says 'another challenge'
    must "$Q" status --offline
    matches 'root +glasgow .*on its way'
    cp "$open" "$D/open"
    must "$Q" receipt import "$D/challenge"
    matches 'status +arrived'
    must "$Q" status --offline
    matches 'root +glasgow .*at home'
    ! grep -q 'Carried by people' <<<"$OUT" || fail 'still awaited'
    must "$Q" log show --json --type arrived
    says '"bag":"TEB-1"' '"received-by":"custodian-2"' '"safe":"GLA-1"'
    ends 1 "$Q" receipt import "$D/challenge"
    says 'nobody waits for it'
    # Gone again in a bag of that number: what was answered is answered, for a question that a death left too.
    must "$Q" move root glasgow --bag TEB-1
    cp "$D/open" "$open"
    ends 1 "$Q" receipt import "$D/challenge"
    says 'the log has this answer'
    ends 1 "$Q" arrive root glasgow --bag TEB-1 --json
    says '"status":"asked"'
    exported challenge
    accepted challenge
    must "$Q" receipt import "$D/challenge"
    small_ceremony moved host
}

# The step waits for the answer, and goes on where it stood.
case_drilled_in_a_ceremony() {
    local message=$D/estate/ceremonies/drilled-1/1.2.message arrival=$D/estate/ceremonies/drilled-1/1.4.message kept
    one_offer
    carried_born app-1 6162
    must "$Q" move root glasgow --bag TEB-1
    short_ceremony drilled '{"1.2": {answer: drill}, "1.4": {bag: TEB-1, safe: GLA-1, answer: arrival}}' \
        'Drill, do: drill, with: {token: root, site: glasgow}' 'Drill, do: drill, with: {token: root, site: cardiff}' \
        'Receive, do: arrive, with: {token: root, site: glasgow}'
    opening_approved "$D/short.yaml"
    ends 1 short_holds
    says 'For glasgow of root, where files are carried:' 1.2.message 'cannot open'
    kept=$(grep -o '"challenge":"[0-9a-f]*"' "$message" | head -n 1)
    must far "$Q" accept "$message" --out "$D/good"
    sed -E 's/(,"signature":"[0-9a-f]{8})[0-9a-f]{4}/\1beef/' "$D/good" >"$D/drill"
    ends 1 short_holds
    says 'signature'
    [ "$kept" = "$(grep -o '"challenge":"[0-9a-f]*"' "$message" | head -n 1)" ] || fail 'another question'
    cp "$D/good" "$D/drill"
    ends 1 short_holds
    says 'For glasgow of root, where files are carried:' 1.4.message 'cannot open'
    must far "$Q" accept "$arrival" --out "$D/arrival"
    must short_holds
    must "$Q" log show --json --type arrived
    [ "$(grep -c '"ceremony":"drilled-1"' <<<"$OUT")" = 1 ] || fail 'the arrival is not of the ceremony'
    must "$Q" log show --json --type drill
    [ "$(grep -c '"ceremony":"drilled-1"' <<<"$OUT")" = 2 ] || fail 'not both drills are of the ceremony'
    transcript_holds drilled-1
    ! grep -q '"type":"deviation"' "$D/transcript/entries" || fail 'a deviation'
}

# A key that comes or goes between question and answer.
case_drilled_meanwhile() {
    RULES='  - {id: end of a key, when: {operation: destroy, token: root, label: "^app-"}, allow: true}' awk '
        /^  - id: use of an application key$/ { print ENVIRON["RULES"] } { print }' "$D/policy.yaml" >"$D/policy.new"
    mv "$D/policy.new" "$D/policy.yaml"
    one_offer
    carried_born app-1 6162
    ends 1 "$Q" drill root glasgow
    exported drill
    accepted drill
    mv "$D/drill" "$D/first"
    asks generate EC:prime256v1 app-2
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:prime256v1 app-2
    exported drill offer
    accepted offer
    must "$Q" receipt import "$D/offer"
    ends 1 "$Q" receipt import "$D/first"
    says 'root at glasgow: proven, 1 key' 'before other keys came there'
    must "$Q" status --offline
    ! grep -qE 'root +glasgow .*drilled 20' <<<"$OUT" || fail 'counts as drilled'
    ends 1 "$Q" drill root glasgow
    exported born drill
    accepted drill
    must p11 --delete-object --type privkey --id 6162
    ends 1 "$Q" receipt import "$D/drill"
    says 'is not at glasgow any more'
    exported born end
    ends 1 "$Q" drill root glasgow
    exported born drill end
    accepted drill
    must "$Q" receipt import "$D/drill"
    says 'root at glasgow: proven, 1 key'
}

case_listed() {
    one_offer
    carried_born app-1 6162
    must "$Q" inventory
    says 'root at glasgow: elsewhere' 'quorate inventory root glasgow'
    must "$Q" inventory root cardiff
    ! grep -q slough <<<"$OUT" || fail 'another site than the one named'
    ends 2 "$Q" inventory root leeds
    says 'name no token "root" at leeds'
    exported
    ends 1 "$Q" inventory root glasgow
    says 'root at glasgow: asked' 'offer export glasgow'
    must "$Q" status --json
    matches '"carried":\[\{"files":1,"kind":"inventory","site":"glasgow"'
    exported inventory
    accepted inventory
    sed 's/"label":"app-1"/"label":"app-2"/' "$D/inventory" >"$D/altered"
    ends 1 "$Q" receipt import "$D/altered"
    says 'identity signature of root at glasgow'
    must "$Q" receipt import "$D/inventory"
    says 'root at glasgow: looked-at' 'Everything is as the log says.'
    matches 'key +private-key +app-1 +6162'
    ends 1 "$Q" receipt import "$D/inventory"
    says 'nobody waits for it'
    ends 1 "$Q" inventory root glasgow
    ends 1 "$Q" receipt import "$D/inventory"
    says 'for another challenge'
    must far direct glasgow --delete-object --type privkey --label app-1
    exported inventory
    accepted inventory
    ends 1 "$Q" receipt import "$D/inventory" --json
    matches '"missing":\[\{"class":"private-key","id":"6162","label":"app-1"\}\]'
}

# What people approve and what a rule plainly allows: both are carried, and gone there only when the site has signed it.
case_ended() {
    RULES='  - {id: free end, when: {operation: destroy, token: root, label: "^app-free"}, allow: true}
  - id: end of an application key
    when: {operation: destroy, token: root, label: "^app-", class: private-key}
    require: {quorum: {of: key-custodian, at-least: 2}}' awk '
        /^  - id: use of an application key$/ { print ENVIRON["RULES"] } { print }' "$D/policy.yaml" >"$D/policy.new"
    mv "$D/policy.new" "$D/policy.yaml"
    one_offer
    carried_born app-1 0101
    carried_born app-free 0202
    asks p11 --delete-object --type privkey --id 0101
    approve "$ID" custodian-1 custodian-2
    must p11 --delete-object --type privkey --id 0101
    must p11 --delete-object --type privkey --id 0202
    must "$Q" log show --json --type destroyed
    says '"left":["glasgow"]' '"left":["slough","cardiff","glasgow"]'
    must "$Q" settle
    says 'left at glasgow' 'quorate offer export glasgow'
    must "$Q" status --offline
    matches 'withdraw +root at glasgow +intent [0-9]+ +"app-1"'
    matches 'end +root at glasgow +"app-free"'
    exported end withdraw
    accepted withdraw
    accepted end
    [ "$(far_keys app-1) $(far_keys app-free)" = '0 0' ] || fail 'not destroyed there'
    sed -E 's/("signature":"[0-9a-f]{8})[0-9a-f]{4}/\1beef/' "$D/end" >"$D/altered"
    ends 1 "$Q" receipt import "$D/altered"
    sed 's/"outcome":"destroyed"/"outcome":"withdrawn"/' "$D/withdraw" >"$D/altered"
    ends 1 "$Q" receipt import "$D/altered"
    must "$Q" receipt import "$D/withdraw"
    matches 'key +app-1'
    says destroyed
    ends 1 "$Q" receipt import "$D/withdraw"
    says 'is left at glasgow: it was answered already'
    must "$Q" receipt import "$D/end"
    ends 1 "$Q" receipt import "$D/end"
    says 'is left at glasgow: it was answered already'
    must "$Q" log show --json --type cleared
    [ "$(grep -c '"sites":\["glasgow"\]' <<<"$OUT")" = 2 ] || fail 'not both cleared'
    must "$Q" settle --json
    says '"settled":[]'
    exported
    must "$Q" status --offline
    ! grep -qE 'Carried by people|left at' <<<"$OUT" || fail 'still listed'
    small_ceremony ends host
    must far "$Q" log check
}

case_retires() {
    one_offer
    carried_born app-1 0101
    asks "$Q" retire root glasgow
    approve "$ID" authority-1 authority-2
    must "$Q" retire root glasgow
    says 'root at glasgow: retired' 'not destroyed yet' 'quorate offer export glasgow'
    must "$Q" status --offline
    matches 'withdraw +root at glasgow +intent'
    exported withdraw
    accepted withdraw
    [ "$(far_keys app-1)" = 0 ] || fail 'not destroyed there'
    sed 's/"outcome":"destroyed"/"outcome":"withdrawn"/' "$D/withdraw" >"$D/altered"
    ends 1 "$Q" receipt import "$D/altered"
    must "$Q" receipt import "$D/withdraw"
    says destroyed
    ends 1 "$Q" receipt import "$D/withdraw"
    says 'waits to be destroyed at glasgow'
    must "$Q" settle --json
    says '"settled":[]'
    exported
    small_ceremony retired host
}

# Whoever takes in $D/drill dies at one call after the other; the same again, or the command that waits, completes it.
killed_in_the_import() {
    local step rc died=0
    cp -a "$D" "$D.before"
    for step in $(seq 1 2 200); do
        rc=0
        QUORATE_CRASH_AT=$step "$Q" receipt import "$D/drill" --module build/crash/quorate-pkcs11.so >"$D.step" 2>&1 || rc=$?
        [ "$rc" = 137 ] || break
        died=$((died + 1))
        "$Q" receipt import "$D/drill" >"$D.step" 2>&1 || "$Q" retire root cardiff >>"$D.step" 2>&1 ||
            fail "killed at $step, and not completed: $(cat "$D.step")"
        [ "$(count_with_far app-1 privkey)" = '1 0 1' ] || fail "killed at $step: not destroyed there, or elsewhere"
        must "$Q" settle --json
        says '"settled":[]'
        must "$Q" log check
        rm -rf "$D"
        cp -a "$D.before" "$D"
    done
    [ "$rc" = 0 ] && [ "$died" -gt 3 ] || fail "killed $died times, then ended with $rc: $(cat "$D.step")"
    rm -rf "$D" "$D.step"
    mv "$D.before" "$D"
}

# Another site retires: what is here proves every key for that, by files, and not by an answer of before.
case_others_retire() {
    local open=$D/estate/inquiries/root@glasgow.drill.json kept
    one_offer
    carried_born app-1 0101
    ends 1 "$Q" drill root glasgow
    exported drill
    accepted drill
    must "$Q" receipt import "$D/drill"
    ends 1 "$Q" drill root glasgow
    exported drill
    accepted drill
    mv "$D/drill" "$D/before"
    asks "$Q" retire root cardiff
    approve "$ID" authority-1 authority-2
    ends 1 "$Q" retire root cardiff
    says 'root at slough: proven' 'root at glasgow: asked' 'root at cardiff: waiting for glasgow: awaited until 20'
    must "$Q" status --offline
    matches 'waiting +intent [0-9]+ +.*retire.* at cardiff +proofs awaited from glasgow until 20'
    ! grep -q 'not settled' <<<"$OUT" || fail 'settle is said to be of use'
    matches 'drill +root at glasgow +until 20'
    must "$Q" status --offline --json
    matches '"awaited":\["glasgow"\],"intent":[0-9]+,"operation":"retire-site"'
    ends 1 "$Q" receipt import "$D/before"
    says 'for another challenge'
    # Whoever asks again asks the same, a plain drill too; and there is one retirement at a time.
    kept=$(sha256sum <"$open")
    ends 1 "$Q" retire root cardiff
    ends 1 "$Q" drill root glasgow
    must "$Q" settle
    says 'glasgow: awaited until'
    [ "$kept" = "$(sha256sum <"$open")" ] || fail 'another question'
    ends 1 "$Q" retire root glasgow
    says 'root at cardiff is retiring since entry'
    exported drill
    accepted drill
    killed_in_the_import
    # A death after its entry: it is not logged twice.
    cp "$open" "$D/open"
    must "$Q" receipt import "$D/drill"
    says 'root at glasgow: proven, 1 key'
    matches 'retirement +retired'
    cp "$D/open" "$open"
    ends 1 "$Q" receipt import "$D/drill"
    says 'the log has this answer'
    [ "$(count_with_far app-1 privkey)" = '1 0 1' ] || fail 'not destroyed there, or elsewhere'
    must "$Q" status --offline
    ! grep -qE 'waiting +intent|Carried by people' <<<"$OUT" || fail 'still awaited'
    must "$Q" settle --json
    says '"settled":[]'
    small_ceremony waited host
    must tests/tamper.py "$D/waited" --trust "$D/waited.trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" --kinds retirements
    says '12 changes in all'
    printf '%s\n' "$OUT"
}

# What cannot be proven ends it, and the approval holds again; a key that comes meanwhile is to be proven too; another policy ends it
# for good.
case_others_retire_meanwhile() {
    one_offer
    carried_born app-1 0101
    asks "$Q" retire root cardiff
    approve "$ID" authority-1 authority-2
    ends 1 "$Q" retire root cardiff
    asks generate EC:prime256v1 app-2
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:prime256v1 app-2
    exported drill offer
    accepted drill
    accepted offer
    must "$Q" receipt import "$D/offer"
    ends 1 "$Q" receipt import "$D/drill"
    says 'root at glasgow: proven, 1 key' 'before other keys came there' 'glasgow: awaited until'
    small_ceremony waiting host 'the retirement of root at cardiff (entry ' 'waits until 20'
    must far direct glasgow --delete-object --type privkey --label app-2
    exported born drill
    accepted drill
    ends 1 "$Q" receipt import "$D/drill"
    says 'root at glasgow: failed' 'not every key was proven at glasgow; it is rolled back, and the approval stands until 20'
    must "$Q" log show --type rolled-back
    says 'not every key was proven at glasgow'
    must "$Q" status --offline
    matches 'root +cardiff +replica +enrolled'
    # The approval is good for the same again.
    ends 1 "$Q" retire root cardiff
    says 'root at cardiff: waiting for glasgow'
    sed -i 's/^version: .*/version: 2/' "$D/policy.yaml"
    ends 1 "$Q" policy adopt "$D/policy.yaml"
    approve "$(estate_newest)" authority-1 authority-2
    must "$Q" policy adopt "$D/policy.yaml"
    must "$Q" settle
    says 'another policy was adopted' 'the approval is over'
    must "$Q" log show --type rolled-back
    says 'another policy was adopted'
}

# While the token is suspended, the proofs are taken and the retirement waits on; resumed, it is completed without being asked for.
case_others_retire_suspended() {
    one_offer
    carried_born app-1 0101
    asks "$Q" retire root cardiff
    approve "$ID" authority-1 authority-2
    ends 1 "$Q" retire root cardiff
    exported drill
    accepted drill
    asks "$Q" suspend token:root --reason 'smoke in the room'
    approve "$ID" authority-1
    must "$Q" suspend token:root --reason 'smoke in the room'
    must "$Q" receipt import "$D/drill"
    says 'root at glasgow: proven, 1 key' 'root is suspended: come back to this when it is resumed'
    ends 1 "$Q" retire root cardiff
    says 'root is suspended'
    must "$Q" settle
    says 'root is suspended'
    ! "$Q" log show --type site-retired | grep -q . || fail 'retired while suspended'
    asks "$Q" resume token:root
    approve "$ID" authority-1 authority-2
    must "$Q" resume token:root
    must "$Q" settle
    matches 'intent [0-9]+ +retired'
    [ "$(count_with_far app-1 privkey)" = '1 0 1' ] || fail 'not destroyed there, or elsewhere'
}

# The site retires whose receipt a provisional key awaits: that birth is rolled back, its receipt comes too late, and what lies there
# is withdrawn by files.
case_awaited_site_retires() {
    one_offer
    asks generate EC:prime256v1 app-1 --id 0101
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:prime256v1 app-1 --id 0101
    exported offer
    accepted offer
    asks "$Q" retire root glasgow
    approve "$ID" authority-1 authority-2
    must "$Q" retire root glasgow
    ends 1 "$Q" receipt import "$D/offer"
    must "$Q" settle
    must "$Q" log show --type rolled-back
    says 'a site retired meanwhile'
    ! "$Q" log show --type born | grep -q . || fail 'born without its site'
    [ "$(count_with_far app-1 privkey)" = '0 0 1' ] || fail 'something is left here, or the far site was reached'
    exported withdraw
    accepted withdraw
    must "$Q" receipt import "$D/withdraw"
    [ "$(count_with_far app-1 privkey)" = '0 0 0' ] || fail 'something is left there'
    must "$Q" status --offline
    ! grep -qE '^Unsettled|Carried by people' <<<"$OUT" || fail 'something is awaited still'
}

cases
