#include "audit/document.h"
#include "core/encode.h"
#include "golden.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken as a receipt is the one encoding of it, and a receipt that holds under the keys of a real ceremony is one of
 * that ceremony. */
static struct buf keys[16]; /* of sites, and of what was born */
static size_t key_count;

static void keys_load(void)
{
    static const char *const members[] = {"identity", "public-key"};
    golden_load();
    for (size_t i = 0; !key_count && i < golden_line_count; i++) {
        struct fault f;
        struct entry e;
        if (entry_parse(golden_lines[i], &e, &f))
            abort();
        for (size_t m = 0; m < 2; m++) {
            const char *hex = json_string_or_null(e.body, members[m]);
            bool wanted = e.type == ENTRY_SITE_ENROLLED || e.type == ENTRY_BORN;
            if (hex && wanted && key_count < 16) {
                keys[key_count] = BUF(4096);
                if (hex_parse_buf(hex, &keys[key_count++], &f))
                    abort();
            }
        }
        entry_clear(&e);
    }
}

static bool is_golden(struct span bytes)
{
    const struct golden_file *g;
    for (size_t n = 0; (g = golden_file("receipts/", ".json", n)); n++)
        if (span_equal(buf_span(&g->bytes), bytes))
            return true;
    return false;
}

/* The offer that it would be an answer to, of the key at `place`. */
static void try_key(const struct receipt *r, size_t place, struct span bytes)
{
    struct fault f;
    struct offer o = {.estate = r->estate, .intent = r->intent, .challenge = r->challenge};
    snprintf(o.token, sizeof o.token, "%s", r->token);
    snprintf(o.site, sizeof o.site, "%s", r->site);
    o.attributes = json_object();
    o.public_attributes = json_object();
    if (!json_put_string(o.attributes, "CKA_SIGN", "true"))
        abort();
    o.public_key = keys[place];
    for (size_t i = 0; i < key_count; i++)
        if (receipt_verify(r, &o, &r->offer, buf_span(&keys[i]), r->serial, &f) == OK && !is_golden(bytes))
            abort();
    json_decref(o.attributes);
    json_decref(o.public_attributes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault f;
    struct receipt r;
    struct offer o;
    struct digest digest;
    struct buf again = BUF(1 << 17);
    keys_load();
    if (offer_parse(span_of(data, size), &o, &f) == OK) {
        if (offer_compose(&o, &again, &f) || !span_equal(buf_span(&again), span_of(data, size)))
            abort();
        offer_clear(&o);
    }
    buf_clear(&again);
    if (receipt_parse(span_of(data, size), &r, &f))
        goto out;
    if (receipt_compose(&r, &again, &f) || !span_equal(buf_span(&again), span_of(data, size)) ||
        receipt_digest(&r, &digest, &f))
        abort();
    for (size_t i = 0; i < key_count; i++)
        try_key(&r, i, span_of(data, size));
    receipt_clear(&r);
out:
    buf_free(&again);
    return 0;
}
