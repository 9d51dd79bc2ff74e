#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/encode.h"
#include "policy/attestation.h"

#define AT INT64_C(1893456000) /* 2030-01-01T00:00:00Z */
#define EC "3059301306072a8648ce3d020106082a8648ce3d030107034200"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct buf identity, transport;
static struct policy *policy;

/* The corpus' own keys and root; a policy that asks for them. */
static void load(void)
{
    static const char text[] =
        "quorate: 1\nsemantics: 1\nname: n\nversion: 1\npeople: [{id: a, name: A, organisation: O, roles: [r], "
        "fingerprint: \"sha256:"
        "0000000000000000000000000000000000000000000000000000000000000000\"}]\nsites:\n"
        "  - id: here\n    at: [1, 2]\n"
        "    attested-by: \"sha256:cb95e4646e840e4af57d17ee87cdfb8a537629328694b9edfe0d2c4391e252ac\"\n"
        "    attested-with: {1.3.6.1.4.1.32473.1.3: \"03020001\"}\nrules: []\notherwise: deny\n";
    struct fault f = {OK, ""};
    bool good = policy_parse("p.yaml", span_str(text), &policy, &f) == OK;

    identity = BUF(LIMIT_ATTRIBUTE);
    transport = BUF(LIMIT_ATTRIBUTE);
    good = good &&
           hex_parse_buf(EC "04005e64399eb52e209126952ba47a8992d9944a054287ae65301f5f82d8aaee16af09aec2f40e874980c360f"
                            "d32d94e497979bff10a9946e6d4393692bdd8cbf5",
                         &identity, &f) == OK &&
           hex_parse_buf(EC "0449409977bee698a70c33b6aef750efb430682d643df37797adfc7bda14340cd3508155ab39d634485b40c31"
                            "6db18c3f77219c235165bd18ae08b5c58ad439948",
                         &transport, &f) == OK;
    if (!good) {
        fprintf(stderr, "%s\n", f.text);
        abort();
    }
}

/* What holds can be shown to people. */
static void shown(const json_t *document)
{
    struct buf subject = BUF(LIMIT_CERTIFICATE), root = BUF(LIMIT_CERTIFICATE);
    struct digest fingerprint;
    struct fault f = {OK, ""};

    if (attestation_names(document, "identity", &subject, &root, &fingerprint, &f) != OK ||
        !digest_equal(&fingerprint, &policy->sites[0].roots[0]))
        abort();
    buf_free(&subject);
    buf_free(&root);
}

/* A vendor's PEM file, or the document that is made of one: what is taken from the one holds as the other. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault f = {OK, ""};
    json_t *document = NULL;

    if (policy == NULL)
        load();
    struct attested a = {policy, "here", buf_span(&identity), buf_span(&transport), AT};
    if (attestation_make(span_of(data, size), &a, &document, &f) == OK) {
        if (attestation_verify(document, &a, &f) != OK)
            abort();
        shown(document);
    } else if (json_parse_canonical(span_of(data, size), &document, &f) == OK &&
               attestation_verify(document, &a, &f) == OK) {
        shown(document);
    }
    json_decref(document);
    return 0;
}
