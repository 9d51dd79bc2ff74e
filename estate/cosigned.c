#include "estate/cosigned.h"

#include <string.h>

#include "core/limits.h"

enum outcome cosigned_by(const struct cosigners *c, const struct checkpoint *of, const struct strings *lines, bool *ret,
                         struct fault *f)
{
    struct buf text = BUF(LIMIT_NOTE);
    enum outcome o = OK;

    checkpoint_put(of, &text);
    if (text.failed)
        o = fault_memory(f);
    for (size_t i = 0; i < c->count && o == OK; i++) {
        struct note_key key;
        moment at = 0;

        ret[i] = false;
        o = note_key_parse_as(COSIGNATURE_ALGORITHM, c->items[i].vkey, &key, f);
        for (size_t k = 0; k < lines->count && o == OK; k++) {
            enum outcome one = cosignature_check(buf_span(&text), &key, span_str(lines->items[k]), &at, f);

            ret[i] = ret[i] || one == OK;
            o = one == E_ABSENT ? OK : one;
        }
    }
    buf_free(&text);
    return o;
}

static bool record_checkpoint(const struct state *s, const struct state_cosigned *r, struct checkpoint *ret)
{
    struct checkpoint c = {.size = r->size, .root = r->root};

    const char *origin = state_origin_at(s, r->size);

    if (strlen(origin) >= sizeof c.origin)
        return false;
    memcpy(c.origin, origin, strlen(origin));
    *ret = c;
    return true;
}

/* index: of the one who counts; c->count: the quorum. */
static uint64_t size_signed(const struct state *s, const struct cosigners *c, size_t index)
{
    uint64_t best = 0;

    for (size_t i = s->cosigned_count; c->count > 0 && i-- > 0;) {
        bool signed_by[LIMIT_COSIGNERS] = {false};
        struct checkpoint of;
        struct fault f = {OK, ""};

        if (s->cosigned[i].size > best && record_checkpoint(s, &s->cosigned[i], &of) &&
            cosigned_by(c, &of, &s->cosigned[i].lines, signed_by, &f) == OK &&
            (index < c->count ? signed_by[index] : cosigners_met(c, signed_by)))
            best = s->cosigned[i].size;
    }
    return best;
}

uint64_t cosigned_size(const struct state *s, const struct cosigners *c)
{
    return size_signed(s, c, c->count);
}

uint64_t cosigned_size_by(const struct state *s, const struct cosigners *c, size_t index)
{
    return size_signed(s, c, index);
}
