# For tests of HSMs whose vendor attests their keys: the vendor's authorities, its certificates, and policies that list it. Beside lib.sh.
# shellcheck shell=bash

CA='basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign'
MADE='1.3.6.1.4.1.32473.1.3=DER:03020001' # made in the HSM, as this maker says it

# A certificate of the public key in FILE (- makes one), as $V/NAME.pem, issued by ISSUER (- by itself).
certified() { # name, issuer, file, days, extensions, options of openssl x509
    local name=$1 issuer=$2 key=$3 days=$4
    printf '%s\n' "$5" >"$V/$name.ext"
    shift 5
    if [ "$key" = - ]; then
        openssl ecparam -name prime256v1 -genkey -noout -out "$V/$name.key"
        openssl pkey -in "$V/$name.key" -pubout -out "$V/$name.pub"
        key=$V/$name.pub
    fi
    [ "$issuer" != - ] || issuer=$name
    if [ "$issuer" = "$name" ]; then
        openssl x509 -new -subj "/O=Maker/CN=$name" -key "$V/$name.key" -days "$days" -extfile "$V/$name.ext" -out "$V/$name.pem"
    else
        openssl x509 -new -subj "/O=Maker/CN=$name" -force_pubkey "$key" -CA "$V/$issuer.pem" -CAkey "$V/$issuer.key" \
            -days "$days" -extfile "$V/$name.ext" -out "$V/$name.pem" "$@" 2>"$V/$name.err"
    fi
}

bundle() { # name, then the certificates
    local name=$1 one
    shift
    for one in "$@"; do
        cat "$V/$one.pem"
    done >"$V/$name.bundle"
}

# The maker's authorities, and others.
authorities() {
    V=$D/vendor
    mkdir "$V"
    certified root - - 3650 "$CA"
    certified device root - 3650 "$CA"
    certified stranger - - 3650 "$CA"
    certified no-authority root - 3650 'basicConstraints=CA:FALSE'
    certified no-signer root - 3650 $'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign'
    certified past root - -1 "$CA"
}

# The policy lists the maker's root for these sites.
listed() {
    local site mark
    mark=$(openssl x509 -in "$V/root.pem" -outform DER | sha256sum | cut -d' ' -f1)
    for site in "$@"; do
        sed -i "s/^\(  - {id: $site, .*\)}$/\1, attested-by: \"sha256:$mark\", \
attested-with: {${MADE%%=*}: \"${MADE##*:}\"}}/" "$D/policy.yaml"
    done
}

# The public key of a document, as $V/NAME.pub.
named_key() { # document, member, name
    grep -o "\"$2\":\"[0-9a-f]*\"" "$1" | head -n 1 | cut -d'"' -f4 | tr a-f A-F | basenc -d --base16 |
        openssl pkey -pubin -inform DER -out "$V/$3.pub"
}

# What the maker says of identity and transport key of $1, and what it never said.
attested() { # document, name
    local who=$2
    named_key "$1" identity "$who-identity"
    named_key "$1" transport "$who-transport"
    certified "$who" device "$V/$who-identity.pub" 3650 "$MADE"
    certified "$who-offers" device "$V/$who-transport.pub" 3650 "$MADE"
    bundle "$who" root "$who" device "$who-offers" stranger
}
