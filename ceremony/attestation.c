#include "ceremony/attestation.h"

#include <string.h>

#include "core/file.h"
#include "core/limits.h"
#include "policy/attestation.h"

enum outcome attestation_ask(const struct arguments *a, json_t *question, struct fault *f)
{
    const char *path = argument(a, "attestation");
    struct buf pem = BUF(LIMIT_DOCUMENT);
    enum outcome o = path != NULL ? file_read(path, false, &pem, f) : OK;

    if (o == OK && path != NULL &&
        (pem.len == 0 || memchr(pem.data, '\0', pem.len) != NULL ||
         !json_put_string(question, "attestation", buf_str(&pem))))
        o = fault_set(f, E_INVALID, "%s: certificates in PEM are expected", path);
    buf_free(&pem);
    return o;
}

void attestation_put(struct buf *b, const json_t *document)
{
    static const char *const keys[] = {"identity", "transport"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct buf subject = BUF(LIMIT_CERTIFICATE), root = BUF(LIMIT_CERTIFICATE);
        struct fault f = {OK, ""};
        struct digest fingerprint;
        char name[32];
        enum outcome o = attestation_names(document, keys[i], &subject, &root, &fingerprint, &f);

        snprintf(name, sizeof name, "vendor's %s", keys[i]);
        if (o == OK)
            print_field(b, name, "%s, under %s, sha256:%s", buf_str(&subject), buf_str(&root),
                        digest_hex(&fingerprint).hex);
        else if (o != E_ABSENT)
            print_field(b, name, "cannot be read: %s", f.text);
        buf_free(&subject);
        buf_free(&root);
    }
}

void attestable_put(struct buf *b, const json_t *answer, const char *again)
{
    const char *identity = json_string_or_null(answer, "identity-id"),
               *transport = json_string_or_null(answer, "transport-id");

    if (identity == NULL || transport == NULL)
        return;
    print_field(b, "attestation",
                "none. The policy lists roots of its vendor: have the HSM attest the identity key (CKA_ID %s), the "
                "transport key too if it can (%s), then %s --attestation FILE",
                identity, transport, again);
}
