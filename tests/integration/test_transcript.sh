#!/bin/bash
# Transcripts that were tampered with: both verifiers refuse every one, and say why. FLIPS: how many bytes are flipped;
# VERDICTS: how many random policies are evaluated; VALID: how many transcripts of random ceremonies are verified.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh

held() {
    answers
    drilling_script
    opening_approved "$D/drilling.yaml"
    must holds "$D/drilling.yaml"
    transcript_holds $CEREMONY
}

# The same ceremony of another estate is what lines, files and trust are exchanged with.
case_tampering() {
    local here=$D
    held
    D=$here-other
    rm -rf "$D"
    estate_copy "$WORK/bare"
    prepare_ready
    held
    local other=$D
    D=$here
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --estate "$D" --quorate "$Q" \
        --other "$other/transcript" --other-trust "$other/trust.yaml" --flips "${FLIPS:-200}"
    says 'changes in all'
    printf '%s\n' "$OUT"
    rm -rf "$other"
}

# Policies, votes and sites at random: both evaluate them alike.
case_verdicts() {
    must tests/verdicts.py --quorate "$Q" --count "${VERDICTS:-300}"
    # Without a span an alternate never counts beside the principal, whoever voted first.
    must tests/verdicts.py --quorate "$Q" --count 331 --seed 753721
}

# Ceremonies at random, of which random classes are withheld: no fault is found where there is none.
case_valid() {
    must tests/valid.py --quorate "$Q" --count "${VALID:-30}" --jobs 1
}

# What a trust file may say besides, and what it may not say.
case_trust() {
    held
    local program
    program=$(grep -o '"quorate":"[0-9a-f]*"' "$D/transcript/entries" | tail -n 1 | cut -d'"' -f4)
    echo "software: {quorate: \"sha256:$program\"}" >>"$D/trust.yaml"
    must "$Q" verify "$D/transcript" --trust "$D/trust.yaml"
    must tests/verify.py "$D/transcript" --trust "$D/trust.yaml"
    sed -i 's/^log-key/log_key/' "$D/trust.yaml"
    ends 2 "$Q" verify "$D/transcript" --trust "$D/trust.yaml"
    matches 'trust.yaml:1:1: .*log_key'
    ends 2 tests/verify.py "$D/transcript" --trust "$D/trust.yaml"
    ends 2 tests/verify.py "$D/nowhere" --trust "$D/trust.yaml"
}

cases
