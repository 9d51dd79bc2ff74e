#include "audit/state_pack.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"

/* Who adds a member to the state packs it below, and says the new size here: one that is forgotten would be lost. */
#if __SIZEOF_POINTER__ == 8
_Static_assert(sizeof(struct state) == 408, "pack its new member");
_Static_assert(sizeof(struct state_site) == 280, "pack its new member");
_Static_assert(sizeof(struct state_request) == 160, "pack its new member");
_Static_assert(sizeof(struct state_vote) == 136, "pack its new member");
_Static_assert(sizeof(struct state_intent) == 192, "pack its new member");
_Static_assert(sizeof(struct state_offer) == 48, "pack its new member");
_Static_assert(sizeof(struct state_key) == 176, "pack its new member");
_Static_assert(sizeof(struct state_token) == 40, "pack its new member");
_Static_assert(sizeof(struct state_move) == 16, "pack its new member");
_Static_assert(sizeof(struct state_suspension) == 16, "pack its new member");
_Static_assert(sizeof(struct state_cosigned) == 64, "pack its new member");
_Static_assert(sizeof(struct state_ceremony) == 32, "pack its new member");
_Static_assert(sizeof(struct state_host) == 256, "pack its new member");
_Static_assert(sizeof(struct state_taken) == 144, "pack its new member");
#endif

/* One function for each structure goes through its members, to write them as to read them: what is packed and what is
 * unpacked cannot differ. Numbers are eight bytes, little endian; texts and bytes have their length before them. */
struct packer {
    struct buf *out; /* NULL: reading */
    struct span in;
    bool bad;
};

static void pack_bytes(struct packer *p, void *at, size_t len)
{
    if (p->out) {
        buf_put(p->out, at, len);
    } else if (p->bad || len > p->in.len) {
        p->bad = true;
    } else {
        memcpy(at, p->in.data, len);
        p->in = span_of(p->in.data + len, p->in.len - len);
    }
}

static void pack_number(struct packer *p, uint64_t *n)
{
    uint8_t bytes[8] = {0};
    for (unsigned i = 0; p->out && i < 8; i++)
        bytes[i] = (uint8_t)(*n >> (8 * i));
    pack_bytes(p, bytes, sizeof bytes);
    if (p->out)
        return;
    *n = 0;
    for (unsigned i = 0; !p->bad && i < 8; i++)
        *n |= (uint64_t)bytes[i] << (8 * i);
}

/* A number up to a limit: a length, a count, an enum. */
static uint64_t pack_small(struct packer *p, uint64_t value, uint64_t limit)
{
    pack_number(p, &value);
    if (!p->out && value > limit)
        p->bad = true;
    return p->bad ? 0 : value;
}

static void pack_flag(struct packer *p, bool *flag)
{
    *flag = pack_small(p, *flag, 1) != 0;
}

static void pack_moment(struct packer *p, moment *t)
{
    uint64_t n = (uint64_t)*t;
    pack_number(p, &n);
    *t = (moment)n;
}

static void pack_digest(struct packer *p, struct digest *d)
{
    pack_bytes(p, d->bytes, sizeof d->bytes);
}

/* NULL is packed as the length 0, "" as 1. */
static void pack_text(struct packer *p, char **text)
{
    size_t len = (size_t)pack_small(p, p->out && *text ? strlen(*text) + 1 : 0, p->in.len + 1);
    if (len == 0)
        return;
    if (!p->out)
        *text = calloc(1, len);
    if (*text)
        pack_bytes(p, *text, len - 1);
    p->bad = p->bad || !*text || strlen(*text) != len - 1;
}

static void pack_blob(struct packer *p, struct buf *b)
{
    size_t len = (size_t)pack_small(p, b->len, LIMIT_ATTRIBUTE);
    if (p->out) {
        buf_put(p->out, b->data, b->len);
    } else if (len > p->in.len) {
        p->bad = true;
    } else {
        *b = BUF(LIMIT_ATTRIBUTE);
        buf_put(b, p->in.data, len);
        p->in = span_of(p->in.data + len, p->in.len - len);
        p->bad = p->bad || b->failed;
    }
}

static void pack_strings(struct packer *p, struct strings *s)
{
    size_t count = (size_t)pack_small(p, s->count, p->in.len);
    for (size_t i = 0; i < count && !p->bad; i++) {
        char *text = p->out ? s->items[i] : NULL;
        pack_text(p, &text);
        if (p->out)
            continue;
        p->bad = p->bad || !text || !strings_add(s, text);
        free(text);
    }
}

static void pack_json(struct packer *p, json_t **json)
{
    struct buf bytes = BUF(SIZE_MAX / 2);
    struct fault ignored = {.outcome = OK};
    if (p->out && json_canonical(*json, &bytes, &ignored))
        p->bad = true;
    size_t len = (size_t)pack_small(p, bytes.len, p->in.len);
    if (p->out) {
        buf_put(p->out, bytes.data, bytes.len);
    } else if (!p->bad && len <= p->in.len) {
        *json = json_loadb((const char *)p->in.data, len, JSON_REJECT_DUPLICATES, NULL);
        p->in = span_of(p->in.data + len, p->in.len - len);
    }
    p->bad = p->bad || !json_is_object(*json);
    buf_free(&bytes);
}

/* The array itself, with the room that the fold counts on (fold_room); every item takes at least a byte. */
static void *pack_array(struct packer *p, void *items, size_t *count, size_t size)
{
    size_t capacity = 4;
    size_t have = (size_t)pack_small(p, *count, p->in.len);
    if (p->out)
        return items;
    while (capacity < have)
        capacity *= 2;
    items = have ? calloc(capacity, size) : NULL;
    *count = items ? have : 0;
    p->bad = p->bad || (have && !items);
    return items;
}
#define PACK_ARRAY(p, items, count, each)                                                                              \
    do {                                                                                                               \
        (items) = pack_array(p, items, &(count), sizeof *(items));                                                     \
        for (size_t at_ = 0; at_ < (count) && !(p)->bad; at_++)                                                        \
            each(p, &(items)[at_]);                                                                                    \
    } while (0)

static void pack_site(struct packer *p, struct state_site *s)
{
    char **const texts[] = {&s->token,       &s->site,         &s->serial,   &s->manufacturer, &s->model,
                            &s->firmware,    &s->hardware,     &s->latitude, &s->longitude,    &s->country,
                            &s->identity_id, &s->transport_id, &s->place,    &s->bag};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        pack_text(p, texts[i]);
    pack_blob(p, &s->identity);
    pack_blob(p, &s->transport);
    pack_number(p, &s->seq);
    pack_number(p, &s->renewed);
    pack_flag(p, &s->retired);
    pack_flag(p, &s->headed);
    pack_strings(p, &s->pardoned);
    pack_flag(p, &s->placed);
    pack_flag(p, &s->away);
    pack_strings(p, &s->tags);
    pack_moment(p, &s->arrived);
    pack_moment(p, &s->drilled);
    pack_number(p, &s->drill);
}

static void pack_vote(struct packer *p, struct state_vote *v)
{
    pack_flag(p, &v->rejection);
    pack_text(p, &v->person);
    pack_digest(p, &v->certificate);
    pack_digest(p, &v->public_key);
    pack_digest(p, &v->signature);
    pack_text(p, &v->reason);
    pack_moment(p, &v->at);
    pack_number(p, &v->seq);
}

static void pack_request(struct packer *p, struct state_request *r)
{
    char **const texts[] = {&r->operation, &r->token, &r->label, &r->rule, &r->why};
    pack_digest(p, &r->id);
    pack_digest(p, &r->subject);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        pack_text(p, texts[i]);
    pack_moment(p, &r->made);
    pack_moment(p, &r->expires);
    r->state = (enum request_state)pack_small(p, r->state, REQUEST_VOID);
    PACK_ARRAY(p, r->votes, r->vote_count, pack_vote);
    pack_number(p, &r->seq);
    pack_number(p, &r->intent);
}

static void pack_offer(struct packer *p, struct state_offer *o)
{
    pack_text(p, &o->site);
    pack_digest(p, &o->offer);
    pack_flag(p, &o->answered);
}

static void pack_intent(struct packer *p, struct state_intent *i)
{
    pack_number(p, &i->seq);
    pack_digest(p, &i->digest);
    pack_digest(p, &i->request);
    pack_text(p, &i->operation);
    pack_text(p, &i->token);
    pack_text(p, &i->label);
    i->state = (enum intent_state)pack_small(p, i->state, INTENT_PROVISIONAL);
    pack_moment(p, &i->at);
    pack_moment(p, &i->until);
    pack_json(p, &i->body);
    pack_strings(p, &i->offered);
    pack_strings(p, &i->receipted);
    pack_strings(p, &i->orphans);
    PACK_ARRAY(p, i->offers, i->offer_count, pack_offer);
}

static void pack_key(struct packer *p, struct state_key *k)
{
    char **const texts[] = {&k->token, &k->label, &k->type, &k->class_name, &k->id};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        pack_text(p, texts[i]);
    pack_digest(p, &k->fingerprint);
    pack_blob(p, &k->public_key);
    pack_strings(p, &k->sites);
    pack_strings(p, &k->retired);
    pack_moment(p, &k->born);
    pack_number(p, &k->seq);
    pack_number(p, &k->intent);
    pack_flag(p, &k->destroyed);
}

static void pack_token(struct packer *p, struct state_token *t)
{
    pack_text(p, &t->token);
    pack_text(p, &t->promoted);
    pack_text(p, &t->serving);
    pack_text(p, &t->serving_reason);
    pack_number(p, &t->serving_seq);
}

static void pack_move(struct packer *p, struct state_move *m)
{
    pack_text(p, &m->before);
    pack_number(p, &m->from);
}

static void pack_suspension(struct packer *p, struct state_suspension *s)
{
    pack_text(p, &s->scope);
    pack_number(p, &s->seq);
}

static void pack_cosigned(struct packer *p, struct state_cosigned *c)
{
    pack_number(p, &c->size);
    pack_number(p, &c->seq);
    pack_digest(p, &c->root);
    pack_strings(p, &c->lines);
}

static void pack_ceremony(struct packer *p, struct state_ceremony *c)
{
    pack_text(p, &c->id);
    pack_text(p, &c->script);
    pack_number(p, &c->seq);
    pack_flag(p, &c->closed);
}

static void pack_host(struct packer *p, struct state_host *h)
{
    char **const texts[] = {&h->environment, &h->origin,      &h->log_key,      &h->token,
                            &h->site,        &h->identity_id, &h->transport_id, &h->transport_before_id};
    pack_digest(p, &h->estate);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        pack_text(p, texts[i]);
    pack_blob(p, &h->identity);
    pack_blob(p, &h->transport);
    pack_blob(p, &h->transport_before);
    pack_number(p, &h->size);
    pack_digest(p, &h->root);
}

static void pack_host_there(struct packer *p, struct state_host **host)
{
    bool there = *host != NULL;
    pack_flag(p, &there);
    if (!p->out && there)
        *host = calloc(1, sizeof **host);
    if (*host)
        pack_host(p, *host);
    p->bad = p->bad || (there && !*host);
}

static void pack_taken(struct packer *p, struct state_taken *t)
{
    pack_digest(p, &t->intent);
    pack_digest(p, &t->request);
    pack_digest(p, &t->offer);
    pack_digest(p, &t->receipt);
    t->state = (enum taken_state)pack_small(p, t->state, TAKEN_DESTROYED);
    pack_number(p, &t->seq);
}

static void pack_state(struct packer *p, struct state *s)
{
    pack_flag(p, &s->started);
    pack_text(p, &s->environment);
    pack_text(p, &s->origin);
    pack_text(p, &s->name);
    pack_digest(p, &s->estate);
    pack_digest(p, &s->genesis_policy);
    pack_digest(p, &s->policy);
    s->policy_version = (unsigned)pack_small(p, s->policy_version, UINT32_MAX);
    pack_number(p, &s->policy_seq);
    pack_number(p, &s->size);
    pack_moment(p, &s->last_time);
    PACK_ARRAY(p, s->sites, s->site_count, pack_site);
    PACK_ARRAY(p, s->requests, s->request_count, pack_request);
    PACK_ARRAY(p, s->intents, s->intent_count, pack_intent);
    PACK_ARRAY(p, s->keys, s->key_count, pack_key);
    PACK_ARRAY(p, s->awaited, s->awaited_count, pack_key);
    PACK_ARRAY(p, s->tokens, s->token_count, pack_token);
    PACK_ARRAY(p, s->moves, s->move_count, pack_move);
    PACK_ARRAY(p, s->suspensions, s->suspension_count, pack_suspension);
    PACK_ARRAY(p, s->ceremonies, s->ceremony_count, pack_ceremony);
    PACK_ARRAY(p, s->cosigned, s->cosigned_count, pack_cosigned);
    PACK_ARRAY(p, s->refused, s->refused_count, pack_digest);
    pack_host_there(p, &s->host);
    PACK_ARRAY(p, s->taken, s->taken_count, pack_taken);
}

/* request_index and refused_index: they follow from the rest. */
static bool find_again(struct state *s)
{
    bool good = true;
    for (size_t i = 0; i < s->request_count; i++)
        good = good && map_put(&s->request_index, &s->requests[i].id, i);
    for (size_t i = 0; i < s->refused_count; i++)
        good = good && map_put(&s->refused_index, &s->refused[i], i);
    return good;
}

enum outcome state_pack(const struct state *s, struct buf *ret, struct fault *f)
{
    struct packer p = {.out = ret};
    pack_state(&p, (struct state *)(uintptr_t)s); /* only read */
    return p.bad || ret->failed ? fault_memory(f) : OK;
}

enum outcome state_unpack(struct span bytes, struct state *ret, struct fault *f)
{
    struct packer p = {.in = bytes};
    struct state s;
    state_init(&s);
    pack_state(&p, &s);
    if (p.bad || p.in.len != 0 || !find_again(&s)) {
        state_clear(&s);
        return fault_set(f, E_INVALID, "these bytes are no state of a log");
    }
    *ret = s;
    return OK;
}
