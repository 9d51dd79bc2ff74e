#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/limits.h"
#include "estate/estate.h"
#include "policy/signature.h"

/* Reads PEM or DER, gives DER. */
static enum outcome certificate_read(const char *path, struct buf *ret_der, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_CERTIFICATE);
    X509 *certificate = NULL;
    enum outcome result = file_read(path, false, &bytes, f);

    if (result == OK)
        result = certificate_parse(buf_span(&bytes), &certificate, f);
    if (result == OK)
        result = certificate_der(certificate, ret_der, f);
    if (result != OK && result != E_ABSENT)
        fault_context(f, "%s", path);
    X509_free(certificate);
    buf_free(&bytes);
    return result;
}

static enum outcome person_certificate_find(const struct estate *e, const struct person *p, const char *base,
                                            struct buf *ret_der, struct fault *f)
{
    enum outcome result = E_MEMORY;
    char name[LIMIT_NAME + 16], *path = NULL;

    if (p->certificate != NULL) {
        path = path_join(base, p->certificate);
    } else {
        snprintf(name, sizeof name, "people/%s.pem", p->id);
        path = path_join(base, name);
    }
    if (path == NULL)
        return fault_memory(f);
    result = certificate_read(path, ret_der, f);
    if (result == E_ABSENT) {
        result = estate_kept(e, "people", ".der", &p->fingerprint, ret_der, f); /* from an earlier policy */
        if (result == E_ABSENT)
            fault_set(f, E_ABSENT, "the certificate of %s is missing: expected at %s", p->id, path);
    }
    free(path);
    return result;
}

enum outcome estate_roster_import(struct estate *e, const struct policy *p, const char *base, struct fault *f)
{
    enum outcome result = OK;
    struct buf *ders = calloc(p->person_count, sizeof *ders);
    struct span *spans = calloc(p->person_count, sizeof *spans);

    if (ders == NULL || spans == NULL)
        result = fault_memory(f);
    for (size_t i = 0; result == OK && i < p->person_count; i++) {
        ders[i] = BUF(LIMIT_CERTIFICATE);
        result = person_certificate_find(e, &p->people[i], base, &ders[i], f);
        spans[i] = buf_span(&ders[i]);
    }
    if (result == OK)
        result = roster_check(p, spans, f);
    for (size_t i = 0; result == OK && i < p->person_count; i++) {
        struct digest digest;

        result = estate_keep(e, "people", ".der", spans[i], &digest, f);
    }
    for (size_t i = 0; ders != NULL && i < p->person_count; i++)
        buf_free(&ders[i]);
    free(ders);
    free(spans);
    return result;
}

enum outcome estate_certificate(const struct estate *e, const struct person *p, struct buf *ret_der, struct fault *f)
{
    enum outcome result = estate_kept(e, "people", ".der", &p->fingerprint, ret_der, f);

    return result == OK ? OK : fault_context(f, "the certificate of %s", p->id);
}
